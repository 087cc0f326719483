/** The arithmetic of the benches: percentiles, verdicts, the noise band. Nothing is measured here. */
import { describe, expect, it } from 'vitest';
import { compare, noiseBand } from '../../bench/report/compare.ts';
import { markdown } from '../../bench/report/markdown.ts';
import { atLeast, atMost, exactly, judge, type Measure } from '../../bench/report/measure.ts';
import { exponent, percentile, summarize } from '../../bench/report/samples.ts';
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

describe('two runs', () => {
  it('differ by noise inside the band and by more outside it', () => {
    const before = [measure('a.p50', 10), measure('a.p99', 10)];
    const after = [measure('a.p50', 13), measure('a.p99', 13)];
    expect(compare(before, after).map(({ id, noise }) => [id, noise])).toEqual([
      ['a.p50', false],
      ['a.p99', true],
    ]);
  });

  it('are compared where both have a number', () => {
    const before = [measure('gone', 1), measure('failed', null), measure('same', 0)];
    const after = [measure('new', 1), measure('failed', 2), measure('same', 0)];
    expect(compare(before, after)).toMatchObject([{ id: 'same', change: 0, noise: true }]);
  });

  it('have a wider band for tails and shares of a core than for medians', () => {
    expect(noiseBand('detect.latency.start.p99')).toBeGreaterThan(noiseBand('detect.latency.start.p50'));
    expect(noiseBand('runtime.whole.cpu')).toBeGreaterThan(noiseBand('detect.latency.start.p50'));
  });
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
    [{ title: 'Latency', file: 'charts/latency.svg' }],
  );
  expect(page).toContain('2 × CPU');
  expect(page).toContain('## Goals: 1 met, 1 not met');
  expect(page).toContain('| slow \\| late | 1.50 ms | ≤ 1 ms | NOT MET by 50 % |  |');
  expect(page).toContain('![Latency](charts/latency.svg)');
});
