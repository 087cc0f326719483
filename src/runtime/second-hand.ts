/**
 * What looks now and then and needs no exact moment looks on the whole second: all of it hangs on one timer of its clock,
 * so that an idle thread wakes once a second for everything. What has a deadline uses the clock's `after`.
 */

const SECOND_MS = 1_000;

/** See `RuntimeClock.everySecond`. */
export type EverySecond = (fn: () => void, n?: number) => () => void;

interface Looker {
  readonly fn: () => void;
  readonly everySeconds: number;
  secondsLeft: number;
}

/** The timer runs while somebody hangs on it. */
export function secondHand(clock: {
  monotonic(): number;
  after(ms: number, fn: () => void): () => void;
}): EverySecond {
  const lookers = new Set<Looker>();
  let stop: (() => void) | null = null;
  /** The whole second of the last tick. */
  let ticked = 0;
  const wholeSecond = () => Math.round(clock.monotonic() / SECOND_MS);

  function plan(): void {
    stop = clock.after(untilWholeSecond(clock.monotonic()), () => {
      plan();
      tick();
    });
  }

  /** After a stop of the process it comes once, and all that was due meanwhile is: who watches that work does not wait. */
  function tick(): void {
    const passed = Math.max(1, wholeSecond() - ticked);
    ticked = wholeSecond();
    for (const looker of [...lookers]) {
      looker.secondsLeft -= passed;
      if (looker.secondsLeft > 0 || !lookers.has(looker)) continue;
      looker.secondsLeft = looker.everySeconds;
      looker.fn();
    }
  }

  return (fn, n = 1) => {
    const looker = { fn, everySeconds: n, secondsLeft: n };
    lookers.add(looker);
    if (stop === null) {
      ticked = wholeSecond();
      plan();
    }
    return () => {
      lookers.delete(looker);
      if (lookers.size > 0) return;
      stop?.();
      stop = null;
    };
  };
}

/** How long until the whole second of the monotonic clock that is a second from now, give or take half a one, ms. */
export function untilWholeSecond(nowMs: number): number {
  const left = SECOND_MS - (nowMs % SECOND_MS);
  return Math.ceil(left < SECOND_MS / 2 ? left + SECOND_MS : left);
}
