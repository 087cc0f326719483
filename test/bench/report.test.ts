/** The arithmetic of the benches: percentiles, verdicts, the noise band. Nothing is measured here. */
import { describe, expect, it } from 'vitest';
import { agree, compare, comparisonText, paceText } from '../../bench/report/compare.ts';
import { markdown } from '../../bench/report/markdown.ts';
import { atLeast, atMost, exactly, judge, type Measure } from '../../bench/report/measure.ts';
import { peersTable } from '../../bench/report/peers-table.ts';
import { exponent, median, percentile, summarize } from '../../bench/report/samples.ts';
import { figure, table } from '../../bench/report/text.ts';

const measure = (id: string, value: number | null, more: Partial<Measure> = {}): Measure => ({
  id,
  what: id,
  value,
  unit: 'ms',
  ...more,
});

describe('percentiles', () => {
  it('are values that were seen, by nearest rank', () => {
    const sorted = Array.from({ length: 200 }, (_, i) => i + 1);
    expect([50, 90, 99, 100].map((p) => percentile(sorted, p))).toEqual([100, 180, 198, 200]);
  });

  it('of one sample are that sample, of none NaN', () => {
    expect(summarize([7])).toMatchObject({ count: 1, p50: 7, p99: 7, max: 7 });
    expect(summarize([]).p50).toBeNaN();
  });

  it('do not depend on the order of the samples', () => {
    expect(summarize([3, 1, 2])).toEqual(summarize([1, 2, 3]));
  });
});

it('the fitted exponent of a power law is its power, of a constant 0', () => {
  expect(exponent([100, 1_000, 5_000].map((x) => [x, 3 * x ** 1.5]))).toBeCloseTo(1.5);
  expect(exponent([100, 1_000, 5_000].map((x) => [x, 4]))).toBeCloseTo(0);
});

describe('a goal', () => {
  it.each([
    [atMost(4), 4, { is: 'met' }],
    [atMost(4), 5, { is: 'missed', by: 0.25 }],
    [atLeast(20_000), 20_000, { is: 'met' }],
    [atLeast(20_000), 15_000, { is: 'missed', by: 0.25 }],
    [exactly(200), 200, { is: 'met' }],
    [exactly(200), 199, { is: 'missed', by: 0.005 }],
    [exactly(0), 1, { is: 'missed', by: Number.POSITIVE_INFINITY }],
  ])('%j against %d is %j', (goal, value, verdict) => {
    expect(judge({ goal, value })).toEqual(verdict);
  });

  it('is neither met nor missed by what was not measured', () => {
    expect(judge({ goal: atMost(1), value: null })).toEqual({ is: 'unknown' });
    expect(judge({ goal: atMost(1), value: Number.NaN })).toEqual({ is: 'unknown' });
    expect(judge({ value: 3 })).toEqual({ is: 'no goal' });
  });

  it('stands beside the number, with how far it was missed', () => {
    const line = table([measure('a.p50', 1.5, { goal: atMost(1), note: '200 samples' })]);
    expect(line).toContain('1.50 ms');
    expect(line).toContain('≤ 1 ms');
    expect(line).toContain('NOT MET by 50 %');
    expect(line).toContain('200 samples');
  });
});

it('a number has as many digits as it is worth', () => {
  expect([0.1234, 1.234, 12.34, 123.4, 200].map((n) => figure(n, 'ms'))).toEqual([
    '0.123 ms',
    '1.23 ms',
    '12.3 ms',
    '123 ms',
    '200 ms',
  ]);
  expect(figure(null, 'ms')).toBe('–');
});

const run = (...measures: Measure[]) => ({ measures });

describe('two runs', () => {
  const noise = (id: string, before: number, after: number, more: Partial<Measure> = {}) =>
    compare(run(measure(id, before, more)), run(measure(id, after, more))).map((d) => d.noise);

  it('differ by noise inside the band and by more outside it', () => {
    expect(noise('a.p50', 10, 12)).toEqual([true]);
    expect(noise('a.p50', 10, 15)).toEqual([false]);
    expect(noise('a.p99', 10, 15)).toEqual([true]);
  });

  it('differ by noise whichever of them is the earlier', () => {
    for (const [a, b] of [
      [10, 13],
      [10, 14],
    ] as const)
      expect(noise('a.p50', a, b)).toEqual(noise('a.p50', b, a));
  });

  it('are compared where both have a number', () => {
    const before = [measure('gone', 1), measure('failed', null), measure('same', 0)];
    const after = [measure('new', 1), measure('failed', 2), measure('same', 0)];
    expect(compare(run(...before), run(...after))).toMatchObject([
      { measure: { id: 'same' }, change: 0, noise: true },
    ]);
  });

  it('never differ by noise in a count that must be exact', () => {
    expect(noise('a.lost', 0, 1, { unit: '', goal: exactly(0) })).toEqual([false]);
  });

  it('do not differ by what is too little to speak of', () => {
    expect(noise('a.exponent', -0.01, 0.01, { unit: '' })).toEqual([true]);
    expect(noise('a.writes', 0, 2, { unit: 'MB' })).toEqual([true]);
  });

  it('on a machine that was slower for a while differ by more than noise only where that is not the reason', () => {
    const noise = (id: string, then: number, now: number, more: Partial<Measure> = {}) => {
      const before = { measures: [measure(id, then, more)], paceUs: { 'a.b': 100, 'a.c': 100 } };
      const after = { measures: [measure(id, now, more)], paceUs: { 'a.b': 150, 'a.c': 100 } };
      return compare(before, after).map((d) => d.noise);
    };
    expect(noise('a.b.p50', 10, 18)).toEqual([true]);
    expect(noise('a.c.p50', 10, 18)).toEqual([false]);
    expect(noise('a.b.p50', 10, 21)).toEqual([false]);
    // What waits for a timer does not follow the pace.
    expect(noise('a.b.p50', 10, 10)).toEqual([true]);
    expect(noise('a.b.p50', 10, 7)).toEqual([false]);
    expect(noise('a.b.throughput', 100, 55, { unit: '/s' })).toEqual([true]);
    expect(noise('a.b.ratio', 1, 1.5, { unit: '×' })).toEqual([false]);
  });

  it('say how fast the machine was, where both know', () => {
    const known = { measures: [], paceUs: { 'a.b': 100, 'a.c': 100, 'a.d': 100 } };
    const slower = { measures: [], paceUs: { 'a.b': 110, 'a.c': 120, 'a.d': 150 } };
    expect(paceText(known, slower)).toContain('1.20 times as long as then (1.10 to 1.50 times by case)');
    expect(paceText({ measures: [] }, slower)).toContain('does not say');
  });

  it('are not compared by their slowest single sample', () => {
    expect(noise('a.max', 1, 100)).toEqual([]);
  });

  it('agree while no more than one figure in forty lies outside its band, and none that must be exact', () => {
    const runs = (changed: number, more: Partial<Measure> = {}) =>
      compare(
        run(...Array.from({ length: 80 }, (_, i) => measure(`a.${i}`, 10, more))),
        run(...Array.from({ length: 80 }, (_, i) => measure(`a.${i}`, i < changed ? 20 : 10, more))),
      );
    expect([0, 2, 3].map((changed) => agree(runs(changed)))).toEqual([true, true, false]);
    expect(agree(runs(1, { goal: exactly(10) }))).toBe(false);
    expect(comparisonText(runs(2))).toContain(
      '78 figures agree within their noise bands, 2 do not: as two runs',
    );
  });

  it('are told with the band that was taken, what agrees as a number', () => {
    const text = comparisonText(
      compare(run(measure('a.p50', 10), measure('b.p50', 1)), run(measure('a.p50', 20), measure('b.p50', 1))),
    );
    expect(text).toContain('1 figures agree within their noise bands, 1 do not: more than the one in 40');
    expect(text).toContain('a.p50 (a.p50): 10 ms → 20 ms, +100 % (band: 25 % of the larger)');
  });
});

it('the median of an even number of values is the mean of the middle two', () => {
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([3, 1, 2])).toBe(2);
});

it('the page for readers names the machine, the missed goals first, and every number', () => {
  const page = markdown(
    {
      at: '2026-01-01T00:00:00.000Z',
      smoke: false,
      machine: { cpu: 'CPU', cores: 2, memoryMb: 1_000, kernel: 'Linux 6', node: 'v20' },
      noise: { loadBefore: [0.1], loadAfter: [0.2], busyBefore: 3 },
      measures: [
        measure('detect.a.p50', 1.5, { goal: atMost(1), what: 'slow | late' }),
        measure('detect.b.p50', 0.5, { goal: atMost(1) }),
      ],
    },
    'results/a.json',
    [{ title: 'Latency', file: 'charts/latency.svg' }],
  );
  expect(page).toContain('2 × CPU');
  expect(page).toContain('(results/a.json)');
  expect(page).toContain('## Goals: 1 met, 1 not met');
  expect(page).toContain('| slow \\| late | 1.50 ms | ≤ 1 ms | NOT MET by 50 % |  |');
  expect(page).toContain('![Latency](charts/latency.svg)');
});

describe('the table of what people would use instead', () => {
  it('says of what was not measured why, and else nothing', () => {
    const page = peersTable([
      measure('peers.latency.psutil.start.p50', null, { note: 'not installed: python3-psutil' }),
      measure('peers.killed.agent.lost', 0, { unit: '' }),
    ]);
    expect(page).toMatch(/^\| psutil every 2 s \| not installed: python3-psutil \| – \|/m);
    expect(page).toMatch(/^\| Playwarden \|.*\| 0 \|$/m);
  });
});
