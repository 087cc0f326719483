/**
 * Time as a parameter: the system's clocks behind one small interface. The fake one lives in test/helpers.
 * `monotonic` is process.hrtime: CLOCK_MONOTONIC on Linux, shared by all threads of the machine.
 */

/** ms on the monotonic clock, with the sub-millisecond part. */
export function monotonicMs(): number {
  const [seconds, nanos] = process.hrtime();
  return seconds * 1_000 + nanos / 1e6;
}

/**
 * How long until the whole second of the monotonic clock that is nearest to `aboutMs` from now, ms: up to half a second
 * more or less. What looks now and then and needs no exact moment waits for that: such timers fire together, and the
 * thread wakes once for all of them. Less than a second stays as it is.
 */
export function untilWholeSecond(nowMs: number, aboutMs = 1_000): number {
  if (aboutMs < 1_000) return aboutMs;
  const left = 1_000 - (nowMs % 1_000);
  return Math.ceil(left + Math.round((aboutMs - left) / 1_000) * 1_000);
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
