/**
 * Time as a parameter: the system's clocks behind one small interface. The fake one lives in test/helpers.
 * `monotonic` is process.hrtime: CLOCK_MONOTONIC on Linux, shared by all threads of the machine.
 */

/** ms on the monotonic clock, with the sub-millisecond part. */
export function monotonicMs(): number {
  const [seconds, nanos] = process.hrtime();
  return seconds * 1_000 + nanos / 1e6;
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
