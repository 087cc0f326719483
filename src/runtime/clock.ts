/**
 * Time as a parameter: the system's clocks behind one small interface. The fake one lives in test/helpers.
 * `monotonic` is process.hrtime: CLOCK_MONOTONIC on Linux, shared by all threads of the machine.
 */

/** ms on the monotonic clock, with the sub-millisecond part. */
export function monotonicMs(): number {
  const [seconds, nanos] = process.hrtime();
  return seconds * 1_000 + nanos / 1e6;
}

/** Half a second at least, so that nobody fires twice for one second that it was early or late for. */
const NEAREST_MS = 500;

/**
 * How long until the next whole second of the monotonic clock, ms, 500 to 1,500. What looks about once a second and
 * needs no exact moment waits for that: such timers fire together, and the thread wakes once for all of them.
 */
export function untilWholeSecond(nowMs: number): number {
  const left = 1_000 - (nowMs % 1_000);
  return Math.ceil(left < NEAREST_MS ? left + 1_000 : left);
}

/**
 * Calls `fn` on every whole second of the monotonic clock, about; returns its stop. It keeps the thread alive unless
 * `background` is set.
 */
export function everySecond(fn: () => void, background = false): () => void {
  let timer: NodeJS.Timeout;
  const plan = () => {
    timer = setTimeout(() => {
      plan();
      fn();
    }, untilWholeSecond(monotonicMs()));
    if (background) timer.unref();
  };
  plan();
  return () => clearTimeout(timer);
}

/** Time as a parameter; all values in ms. */
export interface RuntimeClock {
  monotonic(): number;
  after(ms: number, fn: () => void): () => void;
}

export const systemClock: RuntimeClock = {
  monotonic: monotonicMs,
  after(ms, fn) {
    const timer = setTimeout(fn, ms);
    return () => clearTimeout(timer);
  },
};
