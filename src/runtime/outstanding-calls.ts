/**
 * The calls of one incarnation that wait for their answer. Each settles: by value, by deadline, or when the thread
 * goes down. One that is past its deadline still counts until it is answered, for comlink remembers it as long.
 */
import type { CallFailure, CallResult } from './actor.ts';
import type { RuntimeClock } from './clock.ts';
import type { Sent } from './poison.ts';

/** How long a call may take, ms, unless its caller says otherwise. */
export const CALL_DEADLINE_MS = 5_000;
/** Calls that may wait at once; one more is refused as busy. */
export const MAX_OUTSTANDING_CALLS = 256;
/** Unanswered past their deadline: so many, and the actor that beats but does not answer is taken to hang. */
export const MAX_OVERDUE_CALLS = 32;

interface Waiting {
  readonly sent: Sent;
  overdue: boolean;
  settle(result: CallResult<unknown>): void;
}

export class OutstandingCalls {
  readonly #clock: RuntimeClock;
  readonly #waiting = new Map<number, Waiting>();
  #overdue = 0;

  constructor(clock: RuntimeClock) {
    this.#clock = clock;
  }

  get full(): boolean {
    return this.#waiting.size >= MAX_OUTSTANDING_CALLS;
  }

  /** How many are past their deadline and still unanswered. */
  get overdue(): number {
    return this.#overdue;
  }

  /** Follows the call `seq` to whichever end comes first. */
  wait(
    seq: number,
    sent: Sent,
    answer: Promise<CallResult<unknown>>,
    deadlineMs: number,
  ): Promise<CallResult<unknown>> {
    return new Promise((resolve) => {
      const waiting: Waiting = { sent, overdue: false, settle: resolve };
      this.#waiting.set(seq, waiting);
      const cancelDeadline = this.#clock.after(deadlineMs, () => {
        waiting.overdue = true;
        this.#overdue += 1;
        resolve(failed({ kind: 'deadline', afterMs: deadlineMs }));
      });
      const end = (result: CallResult<unknown>) => {
        cancelDeadline();
        if (waiting.overdue) this.#overdue -= 1;
        this.#waiting.delete(seq);
        resolve(result);
      };
      waiting.settle = end;
      // comlink rejects when arguments or value cannot be cloned.
      answer.then(end, (error) => end(failed({ kind: 'threw', message: String(error) })));
    });
  }

  /** What the call `seq` was, if it is still unanswered. */
  find(seq: number): Sent | undefined {
    return this.#waiting.get(seq)?.sent;
  }

  /** The thread is gone: nothing will be answered any more. */
  down(reason: string): void {
    for (const waiting of [...this.#waiting.values()]) waiting.settle(failed({ kind: 'down', reason }));
  }
}

/** A failure as the result of a call. */
export function failed(failure: CallFailure): CallResult<never> {
  return { ok: false, failure };
}
