/**
 * Time as a parameter: the system's clocks behind one small interface. The fake one lives in test/helpers.
 * `monotonic` is process.hrtime: CLOCK_MONOTONIC on Linux, shared by all threads of the machine.
 */
import { secondHand } from './second-hand.ts';

/** ms on the monotonic clock, with the sub-millisecond part. */
export function monotonicMs(): number {
  const [seconds, nanos] = process.hrtime();
  return seconds * 1_000 + nanos / 1e6;
}

/** Time as a parameter; all values in ms. */
export interface RuntimeClock {
  monotonic(): number;
  /** Calls `fn` once after `ms`; returns its stop. */
  after(ms: number, fn: () => void): () => void;
  /** Calls `fn` on every n-th (left out: every) whole second, together with all else that does; returns its stop. */
  everySecond(fn: () => void, n?: number): () => void;
}

/** For what looks many times a second. */
export interface PollingClock extends RuntimeClock {
  /** Calls `fn` again and again, each time `ms` after it was done; costs less than one `after` each time. Returns its stop. */
  every(ms: number, fn: () => void): () => void;
}

const timers = {
  monotonic: monotonicMs,
  after(ms: number, fn: () => void): () => void {
    const timer = setTimeout(fn, ms);
    return () => clearTimeout(timer);
  },
  every(ms: number, fn: () => void): () => void {
    const timer = setInterval(fn, ms);
    return () => clearInterval(timer);
  },
};

/** Of this thread. */
export const systemClock: PollingClock = { ...timers, everySecond: secondHand(timers) };
