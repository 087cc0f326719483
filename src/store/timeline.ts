/**
 * The shape of the log without its rows: epochs in order, what is kept of each, and so every position, count and gap.
 * Pure; event-log.ts keeps it in step with the tables.
 */
import type { Gap, Position } from '../protocol/position.ts';

/** Offsets that were given and whose events are lost, both ends included. */
export interface Hole {
  readonly first: number;
  readonly last: number;
}

/** One epoch. Kept are the offsets from `prunedTo + 1` to `last` that lie in no hole. */
export interface Span {
  readonly ordinal: number;
  readonly epoch: string;
  /** Why it began: the reason of the gap before it. */
  readonly reason: string;
  /** Events lost at the border before it; null: nobody can know. */
  readonly lost: number | null;
  prunedTo: number;
  /** The last offset known to have been given, in a hole or not. */
  last: number;
  /** In order, apart from each other. */
  holes: readonly Hole[];
}

/** The log is never without an epoch: `spans` has at least one, the last one is the current. */
export class Timeline {
  readonly #spans: Span[];
  readonly #byEpoch = new Map<string, Span>();

  constructor(spans: readonly Span[]) {
    if (spans.length === 0) throw new RangeError('a timeline needs an epoch');
    this.#spans = [...spans];
    for (const span of spans) this.#byEpoch.set(span.epoch, span);
  }

  get spans(): readonly Span[] {
    return this.#spans;
  }

  get current(): Span {
    return this.#spans.at(-1) as Span;
  }

  span(epoch: string): Span | null {
    return this.#byEpoch.get(epoch) ?? null;
  }

  begin(span: Span): void {
    this.#spans.push(span);
    this.#byEpoch.set(span.epoch, span);
  }

  /** Forgets an epoch of which nothing is kept. */
  forget(span: Span): void {
    this.#spans.splice(this.#spans.indexOf(span), 1);
    this.#byEpoch.delete(span.epoch);
  }

  locate({ epoch, offset }: Position): 'known' | 'ahead' | 'unknown' {
    const span = this.span(epoch);
    if (!span) return 'unknown';
    // An older epoch may have sent more than was kept: what stands beyond its end was given all the same.
    return span === this.current && offset > span.last ? 'ahead' : 'known';
  }

  compare(a: Position, b: Position): number {
    const ordinalA = this.span(a.epoch)?.ordinal ?? -1;
    const ordinalB = this.span(b.epoch)?.ordinal ?? -1;
    if (ordinalA !== ordinalB) return Math.sign(ordinalA - ordinalB);
    return ordinalA === -1 ? 0 : Math.sign(a.offset - b.offset);
  }

  /** Before the newest epoch that began with damage, which may have taken names of clients; null: there is none. */
  lastDamage(): Position | null {
    const span = this.#spans.findLast(({ reason }) => reason === 'damage');
    return span ? { epoch: span.epoch, offset: 0 } : null;
  }

  latest(): Position {
    return { epoch: this.current.epoch, offset: this.current.last };
  }

  oldest(): Position {
    for (const span of this.#spans) {
      const first = nextKept(span, 0);
      if (first !== null) return { epoch: span.epoch, offset: first - 1 };
    }
    return this.latest();
  }

  /** The gap that stands right after a position; neighbours are told as one. */
  gapAt(from: Position): Gap | null {
    const start = this.span(from.epoch);
    if (!start) return { from, to: this.oldest(), lost: null, reason: 'unknown_epoch' };
    if (start === this.current && from.offset > start.last) return null;
    let span = start;
    let offset = from.offset;
    let lost: number | null = 0;
    let reason: string | null = null;
    for (;;) {
      const next = nextKept(span, offset);
      const end = next === null ? span.last : next - 1;
      if (end > offset) {
        lost = lost === null ? null : lost + end - offset;
        reason ??= offset < span.prunedTo ? 'retention' : 'damage';
        offset = end;
      }
      const following = this.#spans[this.#spans.indexOf(span) + 1];
      if (next !== null || !following) break;
      lost = lost === null || following.lost === null ? null : lost + following.lost;
      reason = following.reason;
      span = following;
      offset = 0;
    }
    return reason === null ? null : { from, to: { epoch: span.epoch, offset }, lost, reason };
  }

  nextGap(after: Position): Gap | null {
    const here = this.gapAt(after);
    const span = this.span(after.epoch);
    if (here || !span || after.offset >= span.last) return here;
    return this.gapAt({ epoch: span.epoch, offset: runEnd(span, after.offset) });
  }

  /** Events kept after a position. */
  count(after: Position): number {
    const start = this.span(after.epoch);
    let total = 0;
    for (const span of this.#spans) {
      if (!start || span.ordinal > start.ordinal) total += keptAfter(span, 0);
      else if (span === start) total += keptAfter(span, after.offset);
    }
    return total;
  }

  /** Whether a reader at this position has anything ahead: events or a gap. */
  hasMore({ epoch, offset }: Position): boolean {
    return epoch !== this.current.epoch || offset < this.current.last;
  }
}

/** The first kept offset after `offset`; null: none in this epoch. */
export function nextKept(span: Span, offset: number): number | null {
  let at = Math.max(offset, span.prunedTo) + 1;
  for (const hole of span.holes) {
    if (at >= hole.first && at <= hole.last) at = hole.last + 1;
  }
  return at <= span.last ? at : null;
}

/** How far events follow `offset` without a hole. */
export function runEnd(span: Span, offset: number): number {
  const hole = span.holes.find((h) => h.first > offset);
  return hole ? hole.first - 1 : span.last;
}

function keptAfter(span: Span, offset: number): number {
  const from = Math.max(offset, span.prunedTo);
  let kept = Math.max(0, span.last - from);
  for (const hole of span.holes) kept -= Math.max(0, hole.last - Math.max(hole.first - 1, from));
  return Math.max(0, kept);
}

/** Adds a hole, joining those it touches. */
export function withHole(holes: readonly Hole[], added: Hole): Hole[] {
  let { first, last } = added;
  const apart: Hole[] = [];
  for (const hole of holes) {
    if (hole.last + 1 < first || hole.first - 1 > last) apart.push(hole);
    else {
      first = Math.min(first, hole.first);
      last = Math.max(last, hole.last);
    }
  }
  return [...apart, { first, last }].sort((a, b) => a.first - b.first);
}
