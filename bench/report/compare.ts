/**
 * Two runs side by side. A difference inside the noise band is called noise: the bands are what runs of the same code
 * on an otherwise quiet machine with two cores have shown. What the machine's own pace accounts for (harness/pace.ts)
 * is noise too: a time is compared with the nearest one between what was measured before and the same at today's pace.
 * Pure.
 */
import type { Measure, Unit } from './measure.ts';
import type { Results } from './results.ts';
import { median } from './samples.ts';
import { figure } from './text.ts';

/** What of a run is compared. */
type Run = Pick<Results, 'measures' | 'paceUs'>;

/** How far two runs of the same code may lie apart. */
export interface Band {
  /** Of the larger of the two: 0.5 is a factor of 2. */
  readonly share: number;
  /** And so much is nothing, in the measure's unit, however small both are. */
  readonly least: number;
}

export interface Difference {
  readonly measure: Measure;
  readonly before: number;
  readonly after: number;
  /** after / before - 1. */
  readonly change: number;
  readonly band: Band;
  readonly noise: boolean;
}

/**
 * null: nothing follows from a difference. Of a maximum one single sample decides; of a hop between threads that are
 * `awake`, whether they happen to share a core; of the slowest tenth of a saturated stream, whether the machine once
 * stood still for a second.
 */
export function noiseBand({ id, unit, goal }: Measure): Band | null {
  if (/\.max$|\.awake\.|^delivery\.stream\.latency\.p90$/.test(id)) return null;
  if (goal?.at === 'exactly') return { share: 0, least: 0 };
  if (/\.exponent$/.test(id)) return { share: 0, least: 0.15 };
  // Of 200 samples the two slowest decide.
  if (/\.p99$/.test(id)) return { share: 0.8, least: 0 };
  // Near what the machine can do at all, what waits grows much faster than the load; an idle percentage is some ms a second.
  if (/^detect\.storm\.|^delivery\.stream\.latency\.|\.cpu$/.test(id)) return { share: 0.6, least: 0 };
  // Few samples: starts of some seconds, a p99 over a p99, reads of what the caches hold by chance.
  if (/\.(page|full)$|^detect\.settings\.|^delivery\.stalled\.ratio$/.test(id))
    return { share: 0.5, least: 0 };
  if (/\.writes$|\.written$/.test(id)) return { share: 0.35, least: 5 };
  if (unit === 'MB') return { share: 0.1, least: 5 };
  if (/\.(p90|switches|rate)$/.test(id) || unit === '') return { share: 0.35, least: unit === '' ? 5 : 0 };
  return { share: 0.25, least: 0 };
}

export function compare(before: Run, after: Run): readonly Difference[] {
  const known = new Map(before.measures.map((m) => [m.id, m]));
  return after.measures.flatMap((measure) => {
    const { value } = measure;
    const old = known.get(measure.id)?.value;
    const band = noiseBand(measure);
    if (old === null || old === undefined || value === null || band === null) return [];
    const change = old === value ? 0 : value / old - 1;
    const paced = old * paceFactor(measure, slowerBy(before, after, caseOf(measure.id)));
    const nearest = Math.min(Math.max(value, Math.min(old, paced)), Math.max(old, paced));
    const largest = Math.max(Math.abs(nearest), Math.abs(value));
    const noise = Math.abs(value - nearest) <= Math.max(band.share * largest, band.least);
    return [{ measure, before: old, after: value, change, band, noise }];
  });
}

/** One sentence on how fast the machine was, beside the earlier run. */
export function paceText(before: Run, after: Run): string {
  const factors = Object.keys(after.paceUs ?? {}).flatMap((one) => slowerBy(before, after, one) ?? []);
  if (factors.length === 0) return 'the earlier run does not say how fast its machine was';
  const [least, most] = [Math.min(...factors), Math.max(...factors)].map((f) => f.toFixed(2));
  const middle = median(factors).toFixed(2);
  return `the same piece of work took ${middle} times as long as then (${least} to ${most} times by case); what that accounts for counts as noise`;
}

const caseOf = (id: string): string => id.split('.').slice(0, 2).join('.');

/** How many times as long the same work took around this case; null: one of the runs does not say. */
function slowerBy({ paceUs: then }: Run, { paceUs: now }: Run, one: string): number | null {
  const [a, b] = [then?.[one], now?.[one]];
  return a && b ? b / a : null;
}

const TIMES: readonly Unit[] = ['ns', 'µs', 'ms', 's', '%'];

/** What a slower machine does to this figure by itself. */
function paceFactor({ unit }: Measure, slower: number | null): number {
  if (slower === null) return 1;
  return TIMES.includes(unit) ? slower : unit === '/s' ? 1 / slower : 1;
}

/**
 * Of so many figures of another run of the same code one lies outside its band: a band that held all of hundreds would
 * hide a change in any. A figure that must be exact never does.
 */
const ONE_OUTSIDE_IN = 40;

/** Whether the runs agree as two runs of the same code do: which figures lie outside is for the reader to judge. */
export function agree(differences: readonly Difference[]): boolean {
  const changed = differences.filter((d) => !d.noise);
  return (
    changed.length <= differences.length / ONE_OUTSIDE_IN &&
    changed.every(({ band }) => band.share > 0 || band.least > 0)
  );
}

/** What has changed, a line each, and how much has not. */
export function comparisonText(differences: readonly Difference[]): string {
  const changed = differences.filter((d) => !d.noise);
  const agreeing = differences.length - changed.length;
  const verdict = agree(differences)
    ? 'as two runs of the same code do'
    : `more than the one in ${ONE_OUTSIDE_IN} by which two runs of the same code differ`;
  const head = `${agreeing} figures agree within their noise bands, ${changed.length} do not: ${verdict}`;
  return [head, ...changed.map(differenceText)].join('\n');
}

function differenceText({ measure, before, after, change, band }: Difference): string {
  const { id, what, unit } = measure;
  const percent = `${change >= 0 ? '+' : ''}${(change * 100).toFixed(0)} %`;
  const least = band.least > 0 ? ` or ${figure(band.least, unit)}` : '';
  const stated = `band: ${(band.share * 100).toFixed(0)} % of the larger${least}`;
  return `  ${id} (${what}): ${figure(before, unit)} → ${figure(after, unit)}, ${percent} (${stated})`;
}
