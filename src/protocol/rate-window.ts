/** How often something may happen in any stretch of time: a sliding window. Pure. */

/** Says 0 and counts it, or how many ms to wait until the next one is taken; then nothing is counted. */
export type RateWindow = (nowMs: number) => number;

/** At most `limit` within any `windowMs`. Holds at most `limit` numbers. */
export function rateWindow(limit: number, windowMs: number): RateWindow {
  let taken: number[] = [];
  return (nowMs) => {
    taken = taken.filter((at) => nowMs - at < windowMs);
    const oldest = taken[0];
    if (oldest !== undefined && taken.length >= limit) return Math.ceil(oldest + windowMs - nowMs);
    taken.push(nowMs);
    return 0;
  };
}
