/**
 * Keeps E4 between two threads: a game may be over before the session actor has said that its session started. The
 * stop of such a process waits until the start was taken in, and no longer than an actor's restart takes.
 */
import type { ProcessIdentity } from '../protocol/messages.ts';
import type { Clock } from '../protocol/ports.ts';
import { processKey } from './process-key.ts';

/** A stop is told after this at the latest, ms, whatever became of the session actor. */
const LONGEST_HOLD_MS = 5_000;

export class StopGate {
  /** Starts that the session actor has not answered yet; what waits for that, if its stop has come. */
  readonly #open = new Map<string, (() => void) | null>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A start goes to the session actor for the first time. */
  expect(identity: ProcessIdentity): void {
    this.#open.set(processKey(identity), null);
  }

  /** The session actor took these in, and what it has to tell of them is told. */
  taken(identities: readonly ProcessIdentity[]): void {
    for (const identity of identities) this.#release(processKey(identity));
  }

  /** Runs `tell` once the start of this process was taken in: now, if it was. */
  whenTaken(identity: ProcessIdentity, tell: () => void): void {
    const id = processKey(identity);
    if (!this.#open.has(id)) {
      tell();
      return;
    }
    const cancel = this.#clock.after(LONGEST_HOLD_MS, () => this.#release(id));
    this.#open.set(id, () => {
      cancel();
      tell();
    });
  }

  #release(id: string): void {
    const tell = this.#open.get(id);
    this.#open.delete(id);
    tell?.();
  }
}
