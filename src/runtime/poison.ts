/**
 * Poison messages: what has killed an actor twice gets no third try. One register per actor outlives its
 * incarnations. What counts is the content, since a restart sends the same words as another object.
 */

/** Deaths within the time below after which a message is set aside. */
export const DEATHS_TO_SET_ASIDE = 2;
/** A death so long ago, ms, is forgotten, and what was set aside gets another try: a machine can stall twice in a month. */
export const FORGET_AFTER_MS = 10 * 60_000;
/** Messages remembered; the one that killed longest ago is forgotten first. */
export const MAX_SUSPECTS = 64;

/** What was sent: a plain message, or a call with its arguments. */
export type Sent =
  | { readonly message: unknown }
  | { readonly call: string; readonly args: readonly unknown[] };

export class PoisonRegister {
  readonly #onSetAside: (sent: Sent) => void;
  readonly #nowMs: () => number;
  #deaths = new Map<string, { readonly count: number; readonly lastMs: number }>();

  /** `onSetAside` is told each time something is kept from the actor; `nowMs` is monotonic. */
  constructor(onSetAside: (sent: Sent) => void, nowMs: () => number) {
    this.#onSetAside = onSetAside;
    this.#nowMs = nowMs;
  }

  /** The actor died inside of this. */
  killed(sent: Sent): void {
    const key = JSON.stringify(sent);
    const count = this.#count(key) + 1;
    this.#deaths.delete(key);
    this.#deaths.set(key, { count, lastMs: this.#nowMs() });
    for (const oldest of this.#deaths.keys()) {
      if (this.#deaths.size <= MAX_SUSPECTS) break;
      this.#deaths.delete(oldest);
    }
  }

  /** False: it is set aside, and has been reported. Costs nothing as long as nothing has killed. */
  admits(sent: Sent): boolean {
    if (this.#deaths.size === 0) return true;
    if (this.#count(JSON.stringify(sent)) < DEATHS_TO_SET_ASIDE) return true;
    this.#onSetAside(sent);
    return false;
  }

  #count(key: string): number {
    const deaths = this.#deaths.get(key);
    return deaths && this.#nowMs() - deaths.lastMs < FORGET_AFTER_MS ? deaths.count : 0;
  }
}
