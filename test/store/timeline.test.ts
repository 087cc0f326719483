import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Position } from '../../src/protocol/position.ts';
import { type Span, Timeline, withHole } from '../../src/store/timeline.ts';

/** The log as a plain list: every offset that was given, kept or not, and the borders between epochs. */
type Item =
  | { readonly kind: 'event'; readonly epoch: string; readonly offset: number; readonly kept: boolean }
  | { readonly kind: 'border'; readonly epoch: string; readonly lost: number | null };

const spanArb = fc.record({
  given: fc.integer({ min: 0, max: 12 }),
  pruned: fc.integer({ min: 0, max: 12 }),
  holes: fc.array(fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 0, max: 3 })), {
    maxLength: 3,
  }),
  lost: fc.option(fc.integer({ min: 0, max: 5 })),
});

function build(
  parts: readonly { given: number; pruned: number; holes: [number, number][]; lost: number | null }[],
) {
  const spans: Span[] = parts.map(({ given, pruned, holes, lost }, i) => {
    let all: Span['holes'] = [];
    for (const [first, size] of holes) {
      if (first + size <= given) all = withHole(all, { first, last: first + size });
    }
    const prunedTo = Math.min(pruned, given);
    return {
      ordinal: i + 1,
      epoch: `e${i + 1}`,
      reason: `r${i + 1}`,
      lost,
      prunedTo,
      last: given,
      holes: all,
    };
  });
  const items = spans.flatMap((span, i): Item[] => [
    ...(i === 0 ? [] : [{ kind: 'border' as const, epoch: span.epoch, lost: span.lost }]),
    ...Array.from({ length: span.last }, (_, n) => {
      const offset = n + 1;
      const inHole = span.holes.some((h) => h.first <= offset && offset <= h.last);
      return { kind: 'event' as const, epoch: span.epoch, offset, kept: offset > span.prunedTo && !inHole };
    }),
  ]);
  return { timeline: new Timeline(spans), items, spans };
}

/** What stands after a position in the plain list. */
function standingAfter(items: readonly Item[], spans: readonly Span[], { epoch, offset }: Position): Item[] {
  const ordinal = spans.findIndex((s) => s.epoch === epoch);
  return items.filter((item) => {
    const other = spans.findIndex((s) => s.epoch === item.epoch);
    return item.kind === 'border'
      ? other > ordinal
      : other > ordinal || (other === ordinal && item.offset > offset);
  });
}

describe('the timeline against a plain list', () => {
  const logs = fc.array(spanArb, { minLength: 1, maxLength: 4 });
  const positions = fc.tuple(fc.nat(3), fc.nat(14));

  it('D7: a gap covers exactly what is missing right after a position, neighbours told as one', () => {
    fc.assert(
      fc.property(logs, positions, (parts, [which, offset]) => {
        const { timeline, items, spans } = build(parts);
        const span = spans[which % spans.length]!;
        const from = { epoch: span.epoch, offset };
        if (timeline.locate(from) === 'ahead') return;
        const ahead = standingAfter(items, spans, from);
        const firstKept = ahead.findIndex((i) => i.kind === 'event' && i.kept);
        const missing = firstKept === -1 ? ahead : ahead.slice(0, firstKept);
        const gap = timeline.gapAt(from);
        if (missing.length === 0) {
          expect(gap).toBeNull();
          return;
        }
        const losses = missing.map((i) => (i.kind === 'event' ? 1 : i.lost));
        const lost = losses.includes(null) ? null : losses.reduce<number>((a, b) => a + (b ?? 0), 0);
        const last = missing.at(-1)!;
        const to = { epoch: last.epoch, offset: last.kind === 'event' ? last.offset : 0 };
        expect(gap).toMatchObject({ from, to, lost });
      }),
      { numRuns: 1_000 },
    );
  });

  it('counts what is kept after a position, and knows whether anything is ahead', () => {
    fc.assert(
      fc.property(logs, positions, (parts, [which, offset]) => {
        const { timeline, items, spans } = build(parts);
        const from = { epoch: spans[which % spans.length]!.epoch, offset };
        if (timeline.locate(from) === 'ahead') return;
        const ahead = standingAfter(items, spans, from);
        expect(timeline.count(from)).toBe(ahead.filter((i) => i.kind === 'event' && i.kept).length);
        expect(timeline.hasMore(from)).toBe(ahead.length > 0);
      }),
      { numRuns: 1_000 },
    );
  });

  it('the next gap is the first one that a reader would meet', () => {
    fc.assert(
      fc.property(logs, positions, (parts, [which, offset]) => {
        const { timeline, items, spans } = build(parts);
        const from = { epoch: spans[which % spans.length]!.epoch, offset };
        if (timeline.locate(from) === 'ahead') return;
        const ahead = standingAfter(items, spans, from);
        const missing = ahead.some((i) => i.kind === 'border' || !i.kept);
        const gap = timeline.nextGap(from);
        expect(gap !== null).toBe(missing);
        if (gap) expect(timeline.compare(gap.from, from)).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 1_000 },
    );
  });

  it('E5: the oldest position stands before the first kept event, or at the end when there is none', () => {
    fc.assert(
      fc.property(logs, (parts) => {
        const { timeline, items } = build(parts);
        const first = items.find((i) => i.kind === 'event' && i.kept);
        expect(timeline.oldest()).toEqual(
          first?.kind === 'event' ? { epoch: first.epoch, offset: first.offset - 1 } : timeline.latest(),
        );
      }),
    );
  });
});

describe('positions', () => {
  const { timeline } = build([
    { given: 10, pruned: 4, holes: [], lost: 0 },
    { given: 5, pruned: 0, holes: [[2, 1]], lost: null },
  ]);

  it('E5: epochs are in the order they began, and an unknown one stands before everything', () => {
    expect(timeline.compare({ epoch: 'e1', offset: 10 }, { epoch: 'e2', offset: 0 })).toBe(-1);
    expect(timeline.compare({ epoch: 'e2', offset: 1 }, { epoch: 'e2', offset: 1 })).toBe(0);
    expect(timeline.compare({ epoch: 'nobody', offset: 99 }, { epoch: 'e1', offset: 0 })).toBe(-1);
    expect(timeline.compare({ epoch: 'e2', offset: 3 }, { epoch: 'e1', offset: 7 })).toBe(1);
  });

  it('D8: an offset never given is ahead in the current epoch only', () => {
    expect(timeline.locate({ epoch: 'e2', offset: 6 })).toBe('ahead');
    expect(timeline.locate({ epoch: 'e2', offset: 5 })).toBe('known');
    expect(timeline.locate({ epoch: 'e1', offset: 12 })).toBe('known');
    expect(timeline.locate({ epoch: 'nobody', offset: 0 })).toBe('unknown');
  });

  it('D7: retention and a hole name their reason, a border that of its epoch', () => {
    expect(timeline.gapAt({ epoch: 'e1', offset: 1 })).toEqual({
      from: { epoch: 'e1', offset: 1 },
      to: { epoch: 'e1', offset: 4 },
      lost: 3,
      reason: 'retention',
    });
    expect(timeline.gapAt({ epoch: 'e1', offset: 10 })).toEqual({
      from: { epoch: 'e1', offset: 10 },
      to: { epoch: 'e2', offset: 0 },
      lost: null,
      reason: 'r2',
    });
    expect(timeline.gapAt({ epoch: 'e2', offset: 1 })).toMatchObject({ lost: 2, reason: 'damage' });
    expect(timeline.gapAt({ epoch: 'nobody', offset: 3 })).toMatchObject({
      to: { epoch: 'e1', offset: 4 },
      lost: null,
    });
  });
});
