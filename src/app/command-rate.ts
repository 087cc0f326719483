/** How many commands a second are taken (contract S6): a sliding window. */

/** Says 0 and counts it, or how many ms to wait until the next one is taken. */
export type RateWindow = (nowMs: number) => number;

export function rateWindow(perSecond: number): RateWindow {
  let taken: number[] = [];
  return (nowMs) => {
    taken = taken.filter((at) => nowMs - at < 1_000);
    const oldest = taken[0];
    if (oldest !== undefined && taken.length >= perSecond) return Math.ceil(oldest + 1_000 - nowMs);
    taken.push(nowMs);
    return 0;
  };
}
