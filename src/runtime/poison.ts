/**
 * Poison messages: what has killed an actor twice gets no third try. One register per actor outlives its
 * incarnations. What counts is the content, since a restart sends the same words as another object.
 */

/** Deaths after which a message is set aside. */
export const DEATHS_TO_SET_ASIDE = 2;
/** Messages remembered; the one that killed longest ago is forgotten first. */
export const MAX_SUSPECTS = 64;

/** What was sent: a plain message, or a call with its arguments. */
export type Sent =
  | { readonly message: unknown }
  | { readonly call: string; readonly args: readonly unknown[] };

export class PoisonRegister {
  readonly #onSetAside: (sent: Sent) => void;
  #deaths = new Map<string, number>();

  /** `onSetAside` is told each time something is kept from the actor. */
  constructor(onSetAside: (sent: Sent) => void) {
    this.#onSetAside = onSetAside;
  }

  /** The actor died inside of this. */
  killed(sent: Sent): void {
    const key = JSON.stringify(sent);
    const deaths = (this.#deaths.get(key) ?? 0) + 1;
    this.#deaths.delete(key);
    this.#deaths.set(key, deaths);
    for (const oldest of this.#deaths.keys()) {
      if (this.#deaths.size <= MAX_SUSPECTS) break;
      this.#deaths.delete(oldest);
    }
  }

  /** False: it is set aside, and has been reported. Costs nothing as long as nothing has killed. */
  admits(sent: Sent): boolean {
    if (this.#deaths.size === 0) return true;
    if ((this.#deaths.get(JSON.stringify(sent)) ?? 0) < DEATHS_TO_SET_ASIDE) return true;
    this.#onSetAside(sent);
    return false;
  }
}
