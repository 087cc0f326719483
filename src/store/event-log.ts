/**
 * The event log (contract E2, E5, D1, D7): the table `events` and the timeline over it. Positions, counts and gaps come
 * from the timeline without touching the disk; rows are read only when they are sent, and the newest ones not even
 * then. A row that no longer holds becomes a hole, which is told as a gap like any other loss.
 */
import type { EventBody } from '../protocol/events.ts';
import type { Clock, EventLog } from '../protocol/ports.ts';
import type { Gap, LogEntry, LogPage, Position } from '../protocol/position.ts';
import { jsonText } from '../protocol/well-formed.ts';
import { type Connection, isDamageError, type Statement } from './connection.ts';
import { type EpochTable, newEpochName } from './epochs.ts';
import { isWhole, type Row, SealedTable, selectRows } from './rows.ts';
import { EVENTS, seqOffset, seqOrdinal, toSeq } from './schema.ts';
import type { Sealer } from './seal.ts';
import { nextKept, runEnd, type Span, Timeline, withHole } from './timeline.ts';
import { uuidv7Generator } from './uuid.ts';
import type { Appender, Writer } from './writer.ts';

/** An event as it is stored, before it has a place. */
export interface NewEvent {
  readonly id: string;
  readonly ts: string;
  readonly type: EventBody['type'];
  readonly body: string;
}

/** A page is bounded in events and in characters, whatever the caller asks. */
const PAGE_EVENTS = 1_000;
const PAGE_CHARS = 1024 * 1024;
/** The newest events stay in memory: a client that keeps up is served without a query. */
const RECENT_EVENTS = 512;

export class SqliteEventLog implements EventLog, Appender<NewEvent, LogEntry> {
  readonly timeline: Timeline;
  readonly #clock: Clock;
  readonly #sealer: Sealer;
  readonly #epochs: EpochTable;
  readonly #events: SealedTable;
  readonly #select: Statement<Row>;
  readonly #selectType: Statement<Row>;
  readonly #selectNotifications: Statement<Row>;
  readonly #countType: Statement<{ n: number }>;
  readonly #countNotifications: Statement<{ n: number }>;
  readonly #newId = uuidv7Generator();
  readonly #listeners = new Set<() => void>();
  readonly #onDamage: (at: Position) => void;
  #writer: Writer<NewEvent, LogEntry> | null = null;
  #recent: LogEntry[] = [];

  constructor(
    db: Connection,
    clock: Clock,
    sealer: Sealer,
    epochs: EpochTable,
    onDamage: (at: Position) => void,
  ) {
    this.#clock = clock;
    this.#sealer = sealer;
    this.#epochs = epochs;
    this.#onDamage = onDamage;
    this.#events = new SealedTable(db, EVENTS, sealer);
    this.#select = selectRows(db, EVENTS, 'WHERE seq > ? AND seq <= ? ORDER BY seq');
    this.#selectType = selectRows(db, EVENTS, 'WHERE seq > ? AND events.type = ? ORDER BY seq LIMIT ?');
    this.#selectNotifications = selectRows(
      db,
      EVENTS,
      "WHERE seq > ? AND events.type = 'notification' ORDER BY seq LIMIT ?",
    );
    this.#countType = db.prepare('SELECT count(*) AS n FROM events WHERE seq > ? AND type = ?');
    this.#countNotifications = db.prepare(
      "SELECT count(*) AS n FROM events WHERE seq > ? AND type = 'notification'",
    );
    this.timeline = new Timeline(epochs.load());
  }

  /** The writer needs the log and the log the writer: whoever wires them calls this once. */
  attach(writer: Writer<NewEvent, LogEntry>): void {
    this.#writer = writer;
  }

  append(events: readonly EventBody[]): readonly LogEntry[] {
    if (events.length === 0) return [];
    const now = this.#clock.wall();
    const ts = new Date(now).toISOString();
    const rows = events.map((event) => ({
      id: this.#newId(now),
      ts,
      type: event.type,
      body: jsonText(event),
    }));
    return this.#writer?.append(rows) ?? [];
  }

  insert({ id, ts, type, body }: NewEvent): LogEntry {
    const span = this.timeline.current;
    const offset = span.last + 1;
    this.#events.put([toSeq(span.ordinal, offset), id, ts, type, body]);
    span.last = offset;
    const entry = { epoch: span.epoch, offset, id, ts, body };
    this.#recent.push(entry);
    if (this.#recent.length >= 2 * RECENT_EVENTS) this.#recent = this.#recent.slice(-RECENT_EVENTS);
    return entry;
  }

  mark(): () => void {
    const span = this.timeline.current;
    const { last } = span;
    return () => {
      while (this.timeline.current !== span) this.timeline.forget(this.timeline.current);
      span.last = last;
      this.#recent = this.#recent.filter((e) => e.epoch === span.epoch && e.offset <= last);
    };
  }

  /** Begins a new epoch. `lost`: events lost at its border; null: nobody can know. */
  beginEpoch(reason: string, lost: number | null): void {
    const epoch = newEpochName();
    this.#writer?.write(`epochs:${epoch}`, null, () => {
      const ordinal = this.timeline.current.ordinal + 1;
      const span: Span = { ordinal, epoch, reason, lost, prunedTo: 0, last: 0, holes: [] };
      this.#epochs.put(span);
      this.timeline.begin(span);
      this.#recent = [];
    });
  }

  read(after: Position, limit: number): LogPage {
    for (;;) {
      const gap = this.timeline.gapAt(after);
      const from = gap?.to ?? after;
      const span = this.timeline.span(from.epoch);
      const end = span ? Math.min(runEnd(span, from.offset), from.offset + Math.min(limit, PAGE_EVENTS)) : 0;
      const entries = span && end > from.offset ? this.#entries(span, from.offset, end) : [];
      // The first row did not hold and has become a hole: look again, now there is a gap to tell.
      if (entries === null) continue;
      const last = entries.at(-1);
      const next = last ? { epoch: last.epoch, offset: last.offset } : from;
      return { gap, entries, next, hasMore: this.timeline.hasMore(next) };
    }
  }

  readType(after: Position, type: EventBody['type'], limit: number): readonly LogEntry[] {
    const seq = this.#seqOf(after);
    const rows =
      type === 'notification'
        ? this.#selectNotifications.all([seq, limit])
        : this.#selectType.all([seq, type, limit]);
    return page(rows).flatMap((row) => this.#entry(row) ?? []);
  }

  count(after: Position, type?: EventBody['type']): number {
    if (type === undefined) return this.timeline.count(after);
    const seq = this.#seqOf(after);
    const row =
      type === 'notification' ? this.#countNotifications.get([seq]) : this.#countType.get([seq, type]);
    return Number(row?.n);
  }

  ends(): { epoch: string; firstOffset: number; lastOffset: number } {
    const { current } = this.timeline;
    const first = nextKept(current, 0);
    return { epoch: current.epoch, firstOffset: first ?? current.last + 1, lastOffset: current.last };
  }

  oldest(): Position {
    return this.timeline.oldest();
  }

  latest(): Position {
    return this.timeline.latest();
  }

  compare(a: Position, b: Position): number {
    return this.timeline.compare(a, b);
  }

  locate(position: Position): 'known' | 'ahead' | 'unknown' {
    return this.timeline.locate(position);
  }

  nextGap(after: Position): Gap | null {
    return this.timeline.nextGap(after);
  }

  onAppend(listener: () => void): () => void {
    // Wrapped, so that one function given twice is two listeners with a stop each.
    const own = () => listener();
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /** After each commit that appended. */
  announce(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  /** The offsets after `after` up to `end`, cut to a page's size; null: the first of them is lost. */
  #entries(span: Span, after: number, end: number): readonly LogEntry[] | null {
    const oldestRecent = this.#recent[0];
    if (oldestRecent?.epoch === span.epoch && oldestRecent.offset <= after + 1) {
      const start = after + 1 - oldestRecent.offset;
      return page(this.#recent.slice(start, start + end - after));
    }
    const rows = this.#rows(span, after, end);
    const entries: LogEntry[] = [];
    for (const row of rows) {
      const entry = this.#entry(row);
      if (entry?.offset !== after + entries.length + 1) break;
      entries.push(entry);
    }
    if (entries.length > 0) return page(entries);
    this.#lose(span, after + 1);
    return null;
  }

  #rows(span: Span, after: number, end: number): Row[] {
    try {
      return this.#select.all([toSeq(span.ordinal, after), toSeq(span.ordinal, end)]);
    } catch (error) {
      if (!isDamageError(error)) throw error;
      // Something in this range cannot be read: half of it, down to the row.
      return end - after <= 1 ? [] : this.#rows(span, after, Math.floor((after + end) / 2));
    }
  }

  /** null: the row is not what was written. */
  #entry(row: Row): LogEntry | null {
    if (!isWhole(EVENTS, row, this.#sealer)) return null;
    const seq = Number(row.seq);
    const span = this.timeline.spans.find((s) => s.ordinal === seqOrdinal(seq));
    if (!span) return null;
    return {
      epoch: span.epoch,
      offset: seqOffset(seq),
      id: String(row.id),
      ts: String(row.ts),
      body: String(row.body),
    };
  }

  #lose(span: Span, offset: number): void {
    const hole = { first: offset, last: offset };
    span.holes = withHole(span.holes, hole);
    this.#writer?.write(`holes:${span.ordinal}:${offset}`, hole, () => this.#epochs.putHole(span, hole));
    this.#onDamage({ epoch: span.epoch, offset });
  }

  #seqOf(after: Position): number {
    const span = this.timeline.span(after.epoch);
    return span ? toSeq(span.ordinal, after.offset) : 0;
  }
}

/** As many as a page may hold; at least one. */
function page<T extends { readonly body?: unknown }>(entries: readonly T[]): readonly T[] {
  let chars = 0;
  const end = entries.findIndex(({ body }, i) => {
    chars += String(body).length;
    return i > 0 && chars > PAGE_CHARS;
  });
  return end === -1 ? entries : entries.slice(0, end);
}
