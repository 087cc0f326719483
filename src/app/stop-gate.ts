/**
 * Keeps E4 between two threads: a game may be over before the session actor has said that its session started. The
 * stop of such a process waits until the start was taken in, and no longer than an actor's restart takes; and what
 * happens to the same process after that (it executes another program, and the game again) waits behind it.
 */
import type { ProcessIdentity } from '../protocol/messages.ts';
import type { Clock } from '../protocol/ports.ts';
import { processKey } from './process-key.ts';

/** What waits is told after this at the latest, ms, whatever became of the session actor. */
const LONGEST_HOLD_MS = 5_000;

type Tell = () => void;

interface Waiting {
  readonly tells: Tell[];
  cancel(): void;
}

export class StopGate {
  /** Starts that the session actor has not answered yet, by process, with what waits for that in its order. */
  readonly #open = new Map<string, Waiting>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A start goes to the session actor for the first time. */
  expect(identity: ProcessIdentity): void {
    this.#open.set(processKey(identity), { tells: [], cancel: () => {} });
  }

  /** The session actor took these in, and what it has to tell of them is told. */
  taken(identities: readonly ProcessIdentity[]): void {
    for (const identity of identities) this.#release(processKey(identity));
  }

  /** Whether something waits for this process. */
  isHeld(identity: ProcessIdentity): boolean {
    return (this.#open.get(processKey(identity))?.tells.length ?? 0) > 0;
  }

  /** Runs `tell` once the start of this process was taken in: now, if it was. */
  whenTaken(identity: ProcessIdentity, tell: Tell): void {
    this.#wait(processKey(identity), tell);
  }

  /** Runs `tell` behind what waits for this process: now, if nothing does. */
  inTurn(identity: ProcessIdentity, tell: Tell): void {
    if (this.isHeld(identity)) this.#open.get(processKey(identity))?.tells.push(tell);
    else tell();
  }

  /** Tells at once what waits, and holds nothing back any more. */
  stop(): void {
    while (this.#open.size > 0) for (const key of [...this.#open.keys()]) this.#release(key);
  }

  #wait(key: string, tell: Tell): void {
    const waiting = this.#open.get(key);
    if (!waiting) {
      tell();
      return;
    }
    if (waiting.tells.length === 0) {
      waiting.cancel = this.#clock.after(LONGEST_HOLD_MS, () => this.#release(key));
    }
    waiting.tells.push(tell);
  }

  #release(key: string): void {
    const waiting = this.#open.get(key);
    this.#open.delete(key);
    waiting?.cancel();
    const [first, ...rest] = waiting?.tells ?? [];
    first?.();
    // Among them may be a start, for which what follows it waits.
    for (const tell of rest) this.#wait(key, tell);
  }
}
