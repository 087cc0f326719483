/** Many numbers as a few: percentiles, and the curve of a distribution for a chart. Pure. */

export interface Summary {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
  /** Every second percentile from 0 to 100: 51 numbers. */
  readonly curve: readonly number[];
}

/** Without samples every figure is NaN. */
export function summarize(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (p: number) => percentile(sorted, p);
  return {
    count: sorted.length,
    mean: sorted.reduce((sum, x) => sum + x, 0) / sorted.length,
    p50: at(50),
    p90: at(90),
    p99: at(99),
    max: at(100),
    curve: Array.from({ length: 51 }, (_, i) => at(2 * i)),
  };
}

/** The nearest rank of sorted samples: always a value that was seen. */
export function percentile(sorted: readonly number[], p: number): number {
  const rank = Math.ceil((p / 100) * sorted.length) - 1;
  return sorted[Math.max(0, rank)] ?? Number.NaN;
}

/** Of an even number of values the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (at: number) => sorted[Math.floor(at)] ?? Number.NaN;
  return (middle((sorted.length - 1) / 2) + middle(sorted.length / 2)) / 2;
}

/** The exponent k of y ≈ c·x^k, fitted on a log-log scale. */
export function exponent(points: readonly (readonly [x: number, y: number])[]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const mx = logs.reduce((sum, [x]) => sum + x, 0) / logs.length;
  const my = logs.reduce((sum, [, y]) => sum + y, 0) / logs.length;
  const covariance = logs.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0);
  const variance = logs.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
  return covariance / variance;
}
