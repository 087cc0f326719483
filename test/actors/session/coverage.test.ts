import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cover, type Span, uncoveredFrom } from '../../../src/actors/session/coverage.ts';

const length = (spans: readonly Span[]) => spans.reduce((sum, [from, to]) => sum + to - from, 0);

describe('coverage', () => {
  it('what is added in all is the union of what was covered, in whatever order', () => {
    const stretch = fc.tuple(fc.nat(500), fc.nat(40)).map(([from, ms]): Span => [from, from + ms]);
    fc.assert(
      fc.property(fc.array(stretch, { maxLength: 40 }), (stretches) => {
        const minutes = new Set<number>();
        let spans: readonly Span[] = [];
        let sum = 0;
        for (const [from, to] of stretches) {
          const result = cover(spans, from, to);
          spans = result.spans;
          sum += length(result.added);
          for (let i = from; i < to; i++) minutes.add(i);
        }
        expect(sum).toBe(minutes.size);
        expect(length(spans)).toBe(minutes.size);
      }),
      { numRuns: 1_000 },
    );
  });

  it('more spans than are remembered: never charged twice', () => {
    let spans: readonly Span[] = [];
    for (let i = 0; i < 200; i++) spans = cover(spans, i * 10, i * 10 + 5).spans;
    expect(spans.length).toBeLessThanOrEqual(64);
    for (let i = 0; i < 200; i++) expect(cover(spans, i * 10, i * 10 + 5).added).toEqual([]);
  });

  it('the first uncovered moment is after all spans that touch it', () => {
    expect(
      uncoveredFrom(
        [
          [0, 10],
          [10, 20],
          [30, 40],
        ],
        5,
      ),
    ).toBe(20);
    expect(uncoveredFrom([[0, 10]], 10)).toBe(10);
  });
});
