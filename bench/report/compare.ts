/**
 * Two runs side by side. Differences inside the noise band are called noise: a band for each kind of figure, as seen
 * between two runs of the same code on an otherwise quiet machine. Pure.
 */
import type { Measure } from './measure.ts';
import { figure } from './text.ts';

export interface Difference {
  readonly id: string;
  readonly what: string;
  readonly unit: Measure['unit'];
  readonly before: number;
  readonly after: number;
  /** after / before - 1. */
  readonly change: number;
  readonly band: number;
  readonly noise: boolean;
}

/** How far two runs of the same code lie apart, as a share. Tails and CPU shares scatter more than medians. */
export function noiseBand(id: string): number {
  if (/\.(max|p99)$/.test(id)) return 0.5;
  if (/\.(cpu|switches)$/.test(id)) return 0.35;
  return 0.2;
}

export function compare(before: readonly Measure[], after: readonly Measure[]): readonly Difference[] {
  const known = new Map(before.map((m) => [m.id, m]));
  return after.flatMap(({ id, what, unit, value }) => {
    const old = known.get(id)?.value;
    if (old === null || old === undefined || value === null) return [];
    const change = old === value ? 0 : value / old - 1;
    const band = noiseBand(id);
    return [{ id, what, unit, before: old, after: value, change, band, noise: Math.abs(change) <= band }];
  });
}

export function differenceText(d: Difference): string {
  const change = `${d.change >= 0 ? '+' : ''}${(d.change * 100).toFixed(0)} %`;
  const verdict = d.noise ? `noise (band ±${d.band * 100} %)` : `CHANGED (band ±${d.band * 100} %)`;
  return `  ${d.what}: ${figure(d.before, d.unit)} → ${figure(d.after, d.unit)}, ${change}: ${verdict}`;
}
