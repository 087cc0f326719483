/** The clock and the timers of whatever runtime this is; tests have one of their own. */
import type { Clock } from '../protocol/ports.ts';

export const timerClock: Pick<Clock, 'monotonic' | 'after'> = {
  monotonic: () => performance.now(),
  after: (ms, fn) => {
    const timer = setTimeout(fn, ms);
    return () => clearTimeout(timer);
  },
};
