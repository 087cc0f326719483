/** The epochs of a rebuilt log, from what was saved of the old one: names, holes, and the rows as they come. Pure. */
import { seqOffset, seqOrdinal } from './schema.ts';
import { type Hole, type Span, withHole } from './timeline.ts';

export interface EpochName {
  readonly ordinal: number;
  readonly epoch: string;
  readonly reason: string;
}

export class SpanBuilder {
  readonly #spans = new Map<number, Span>();
  readonly #names = new Map<number, EpochName>();
  /** Events that were known to be lost before. */
  #lostBefore = 0;

  get spans(): readonly Span[] {
    return [...this.#spans.values()].sort((a, b) => a.ordinal - b.ordinal);
  }

  /** Events that this damage took, as far as their offsets tell. */
  get lost(): number {
    const sizes = this.spans.flatMap((span) => span.holes.map((h) => h.last - h.first + 1));
    // What was given up before may have been found now.
    return Math.max(0, sizes.reduce((sum, size) => sum + size, 0) - this.#lostBefore);
  }

  /** The name of an epoch whose own row may be lost. */
  name(name: EpochName): void {
    this.#names.set(name.ordinal, name);
  }

  epoch(span: Omit<Span, 'last' | 'holes'>): void {
    this.#spans.set(span.ordinal, { ...span, last: span.prunedTo, holes: [] });
  }

  /** Losses of old; after the epochs, before the events. */
  hole(firstSeq: number, lastSeq: number): void {
    const span = this.#spans.get(seqOrdinal(firstSeq));
    if (!span) return;
    const hole = { first: seqOffset(firstSeq), last: seqOffset(lastSeq) };
    this.#lostBefore += hole.last - hole.first + 1;
    this.#lose(span, hole);
  }

  /** An event that was saved; false: retention had dropped it, or its epoch has no name any more. */
  event(seq: number): boolean {
    const offset = seqOffset(seq);
    const span = this.#spans.get(seqOrdinal(seq)) ?? this.#named(seqOrdinal(seq), offset - 1);
    if (!span || offset <= span.prunedTo) return false;
    const inside = span.holes.find((h) => h.first <= offset && offset <= h.last);
    if (inside) span.holes = without(span.holes, offset);
    else if (offset > span.last + 1) this.#lose(span, { first: span.last + 1, last: offset - 1 });
    span.last = Math.max(span.last, offset);
    return true;
  }

  /** How far the log had come for certain. */
  reach(at: { readonly ordinal: number; readonly epoch: string; readonly offset: number }): void {
    if (!this.#spans.has(at.ordinal)) {
      this.epoch({ ordinal: at.ordinal, epoch: at.epoch, reason: 'damage', lost: null, prunedTo: 0 });
    }
    const span = this.#spans.get(at.ordinal);
    if (span && at.offset > span.last) this.#lose(span, { first: span.last + 1, last: at.offset });
  }

  #named(ordinal: number, prunedTo: number): Span | undefined {
    const name = this.#names.get(ordinal);
    if (name) this.epoch({ ...name, lost: null, prunedTo });
    return this.#spans.get(ordinal);
  }

  #lose(span: Span, hole: Hole): void {
    span.holes = withHole(span.holes, hole);
    span.last = Math.max(span.last, hole.last);
  }
}

function without(holes: readonly Hole[], offset: number): Hole[] {
  return holes.flatMap((hole) =>
    hole.first <= offset && offset <= hole.last
      ? [
          { first: hole.first, last: offset - 1 },
          { first: offset + 1, last: hole.last },
        ].filter((h) => h.first <= h.last)
      : [hole],
  );
}
