/**
 * What a client must be given, in the plainest words there are: lists, no windows into a log, no sockets. The delivery model
 * test compares the real sessions and polls with this after every step.
 */
import type { Gap, Position } from '../../../src/protocol/position.ts';

export const WINDOW = 256;

interface Epoch {
  readonly name: string;
  last: number;
  /** Offsets up to here are dropped. */
  dropped: number;
}

export type Item = { readonly event: Position } | { readonly gap: Pick<Gap, 'from' | 'to' | 'lost'> };

/** The log: epochs in order, each with the offsets that are kept. */
export class ReferenceLog {
  readonly epochs: Epoch[];
  /** Gaps that follow each other are told as one. */
  readonly #joins: boolean;

  constructor(first: string, joins: boolean) {
    this.#joins = joins;
    this.epochs = [{ name: first, last: 0, dropped: 0 }];
  }

  get current(): Epoch {
    return this.epochs.at(-1)!;
  }

  get latest(): Position {
    return { epoch: this.current.name, offset: this.current.last };
  }

  /** Before the first event kept. */
  get oldest(): Position {
    const epoch = this.epochs.find((e) => e.last > e.dropped) ?? this.current;
    return { epoch: epoch.name, offset: epoch.dropped };
  }

  knows(at: Position): boolean {
    return this.epochs.some((e) => e.name === at.epoch);
  }

  isAhead(at: Position): boolean {
    return at.epoch === this.current.name && at.offset > this.current.last;
  }

  compare(a: Position, b: Position): number {
    const order = (p: Position) => this.epochs.findIndex((e) => e.name === p.epoch);
    return Math.sign(order(a) - order(b) || (order(a) < 0 ? 0 : a.offset - b.offset));
  }

  later(a: Position | null, b: Position): Position {
    return a !== null && this.compare(a, b) >= 0 ? a : b;
  }

  drop(count: number, inOneEpoch: boolean): void {
    let left = count;
    for (const epoch of this.epochs.filter((e) => e.last > e.dropped)) {
      const dropped = Math.min(epoch.last - epoch.dropped, left);
      epoch.dropped += dropped;
      left = inOneEpoch ? 0 : left - dropped;
    }
  }

  /** The next thing to tell behind a known position; null: nothing. */
  next(at: Position): Item | null {
    let item = this.#nextAlone(at);
    while (this.#joins && item && 'gap' in item) {
      const following = this.#nextAlone(item.gap.to);
      if (!following || !('gap' in following)) break;
      item = joined(item, following);
    }
    return item;
  }

  #nextAlone(at: Position): Item | null {
    const i = this.epochs.findIndex((e) => e.name === at.epoch);
    const epoch = this.epochs[i]!;
    if (at.offset < epoch.dropped) {
      const to = { epoch: epoch.name, offset: epoch.dropped };
      return { gap: { from: at, to, lost: to.offset - at.offset } };
    }
    if (at.offset < epoch.last) return { event: { epoch: epoch.name, offset: at.offset + 1 } };
    const following = this.epochs[i + 1];
    if (!following) return null;
    return { gap: { from: at, to: { epoch: following.name, offset: following.dropped }, lost: null } };
  }

  /** The first gap anywhere behind a known position. */
  firstGap(at: Position): Item | null {
    for (let here = at; ; ) {
      const item = this.next(here);
      if (item === null || 'gap' in item) return item;
      here = item.event;
    }
  }
}

/** A link as its client sees it. */
export interface ReferenceLink {
  readonly simple: boolean;
  at: Position;
  inFlight: Position[];
  /** The gap that stood in the welcome. */
  told: Item | null;
}

export interface Delivered {
  readonly item: Item;
  readonly redelivered: boolean;
}

export interface ReferenceAnswer {
  readonly gap: Item | null;
  readonly events: readonly Delivered[];
  readonly next: Position;
  /** What the acknowledgement lets go over the link. */
  readonly pushed: readonly Delivered[];
}

/** One client: a cursor that both transports share. */
export class ReferenceClient {
  readonly #log: ReferenceLog;
  cursor: Position | null = null;
  /** Where it began; null: it was never seen. */
  base: Position | null = null;
  /** Everything up to here may be in its hands. */
  sent: Position | null = null;
  /** A poll without `after` was answered up to here. */
  offered: Position | null = null;
  link: ReferenceLink | null = null;
  /** The agent remembers it. */
  known = false;

  constructor(log: ReferenceLog) {
    this.#log = log;
  }

  /** Where it goes on by itself. It begins before the oldest event kept, and stands there until it acknowledges. */
  get position(): Position {
    this.base ??= this.#log.oldest;
    return this.cursor ?? this.base;
  }

  /** Where it goes on from `wanted`, and what stands in front of that if its epoch is unknown. */
  startAt(wanted: Position): { readonly at: Position; readonly gap: Item | null } {
    const log = this.#log;
    if (log.knows(wanted)) return { at: wanted, gap: null };
    return { at: log.oldest, gap: { gap: { from: wanted, to: log.oldest, lost: null } } };
  }

  connect(simple: boolean, wanted: Position | 'now' | null): Item | null {
    this.base ??= this.#log.oldest;
    const start = this.startAt(wanted === 'now' ? this.#log.latest : (wanted ?? this.position));
    this.known = true;
    const told = start.gap ?? this.#log.firstGap(start.at);
    this.link = { simple, at: start.at, inFlight: [], told };
    return told;
  }

  /** What an acknowledgement on the link does. */
  ack(to: Position): 'taken' | 'ignored' | 'closes with 4504' {
    const { link } = this;
    const log = this.#log;
    if (!link || !log.knows(to)) return 'ignored';
    const had = log.compare(to, link.at) <= 0 || (this.sent !== null && log.compare(to, this.sent) <= 0);
    if (log.isAhead(to) || !had) {
      this.link = null;
      return 'closes with 4504';
    }
    this.take(to);
    link.at = log.later(link.at, to);
    return 'taken';
  }

  take(to: Position): void {
    const log = this.#log;
    this.cursor = log.later(this.cursor, to);
    this.sent = log.later(this.sent, to);
    if (this.link) this.link.inFlight = this.link.inFlight.filter((p) => log.compare(p, to) > 0);
  }

  /** What goes over the link now, as far as the window allows. */
  push(): Delivered[] {
    const { link } = this;
    const given: Delivered[] = [];
    const before = this.sent;
    while (link && link.inFlight.length < WINDOW) {
      const item = this.#log.next(link.at);
      if (item === null) break;
      if ('gap' in item) {
        if (!sameGap(item, link.told)) given.push({ item, redelivered: false });
        link.at = item.gap.to;
      } else {
        given.push({ item, redelivered: before !== null && this.#log.compare(item.event, before) <= 0 });
        link.at = item.event;
        link.inFlight.push(item.event);
      }
      this.sent = this.#log.later(this.sent, link.at);
    }
    return given;
  }

  /**
   * What a poll is answered; `null`: 409. Its `after` without an epoch is of the cursor's. `standing`: it says that
   * nothing is stored yet, and acknowledges nothing.
   */
  poll(after: Position | null, limit: number, standing = false): ReferenceAnswer | null {
    const log = this.#log;
    this.known = true;
    this.base ??= log.oldest;
    if (after && log.isAhead(after)) return null;
    const stored = standing ? null : (after ?? this.offered);
    this.offered = null;
    let pushed: Delivered[] = [];
    if (stored && log.knows(stored)) {
      const from = this.cursor;
      this.take(stored);
      const { link, cursor } = this;
      // The cursor may stand further than this poll says: what a re-reading link was given again is behind it too.
      if (link && cursor) link.inFlight = link.inFlight.filter((p) => log.compare(p, cursor) > 0);
      const rereads = link && from !== null && log.compare(link.at, from) < 0;
      if (link && cursor && !rereads) link.at = log.later(link.at, cursor);
      pushed = this.push();
    }
    const start = this.startAt(after ?? this.position);
    let { at } = start;
    const first = log.next(at);
    const direct = first && 'gap' in first ? first : null;
    if (direct) at = direct.gap.to;
    const events: Delivered[] = [];
    while (events.length < limit) {
      const item = log.next(at);
      if (item === null || 'gap' in item) break;
      events.push({ item, redelivered: this.sent !== null && log.compare(item.event, this.sent) <= 0 });
      at = item.event;
    }
    const gap = joined(start.gap, direct);
    if (gap || events.length > 0) this.sent = log.later(this.sent, at);
    return { gap, events, next: at, pushed };
  }
}

export function sameGap(a: Item | null, b: Item | null): boolean {
  return JSON.stringify(ends(a)) === JSON.stringify(ends(b));
}

const ends = (item: Item | null) => (item && 'gap' in item ? [item.gap.from, item.gap.to] : null);

function joined(a: Item | null, b: Item | null): Item | null {
  if (!a || !b || !('gap' in a) || !('gap' in b)) return a ?? b;
  const lost = a.gap.lost === null || b.gap.lost === null ? null : a.gap.lost + b.gap.lost;
  return { gap: { from: a.gap.from, to: b.gap.to, lost } };
}
