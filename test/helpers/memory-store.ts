/**
 * The event log, the clients and the sync states of ports.ts in memory: as faithful as the database about offsets,
 * epochs, gaps and cursors, without its disk. Tests break it on purpose through `trim` and `newEpoch`.
 */
import type { EventBody, SessionData } from '../../src/protocol/events.ts';
import { HTTP_LIMITS } from '../../src/protocol/http.ts';
import type { ClientRecord, ClientStore, EventLog, SyncState, SyncStore } from '../../src/protocol/ports.ts';
import type { Gap, LogEntry, LogPage, Position } from '../../src/protocol/position.ts';

/** As the database does it: a page ends after about this many characters of bodies. */
const PAGE_CHARS = 1024 * 1024;

interface Epoch {
  readonly name: string;
  /** What was lost between the epoch before and this one. */
  readonly before: { readonly lost: number | null; readonly reason: string };
  /** Kept events, by offset without holes. */
  entries: LogEntry[];
  lastOffset: number;
  trimReason: string;
}

/** An event of no meaning, told apart by its number. */
export function numbered(n: number, type: 'agent_event' | 'notification' = 'agent_event'): EventBody {
  return type === 'notification'
    ? { type, data: { title: `n${n}`, message: 'text', type: 'message' } }
    : { type, event_type: 'agent_degraded', data: { message: `event ${n}`, n } };
}

export class MemoryLog implements EventLog {
  #epochs: Epoch[];
  #listeners = new Set<() => void>();
  #ids = 0;
  readonly #now: () => number;

  constructor(epoch = 'epoch-1', now: () => number = () => Date.UTC(2026, 0, 15, 16, 0)) {
    this.#now = now;
    this.#epochs = [
      {
        name: epoch,
        before: { lost: null, reason: 'none' },
        entries: [],
        lastOffset: 0,
        trimReason: 'retention',
      },
    ];
  }

  append(events: readonly EventBody[]): readonly LogEntry[] {
    const epoch = this.#current();
    const added = events.map((body): LogEntry => {
      this.#ids += 1;
      epoch.lastOffset += 1;
      return {
        epoch: epoch.name,
        offset: epoch.lastOffset,
        id: `01980000-0000-7000-8000-${this.#ids.toString(16).padStart(12, '0')}`,
        ts: new Date(this.#now()).toISOString(),
        body: JSON.stringify(body),
      };
    });
    epoch.entries.push(...added);
    if (added.length > 0) for (const listener of [...this.#listeners]) listener();
    return added;
  }

  /** Test: drops the oldest `count` events of the oldest epoch that has any, as retention would. */
  trim(count: number, reason = 'retention'): void {
    const epoch = this.#epochs.find((e) => e.entries.length > 0) ?? this.#current();
    epoch.entries = epoch.entries.slice(count);
    epoch.trimReason = reason;
  }

  /** Test: a new epoch begins, as after a power loss or damage. */
  newEpoch(name: string, lost: number | null = null, reason = 'power_loss'): void {
    this.#epochs.push({
      name,
      before: { lost, reason },
      entries: [],
      lastOffset: 0,
      trimReason: 'retention',
    });
  }

  /** Test: forgets the oldest epoch altogether. */
  dropOldestEpoch(): void {
    this.#epochs.shift();
  }

  read(after: Position, limit: number): LogPage {
    const gap = this.#gapAt(after);
    const start = gap?.to ?? after;
    const epoch = this.#epoch(start.epoch) ?? this.#current();
    const following = epoch.entries.slice(Math.max(0, start.offset + 1 - first(epoch)));
    const entries: LogEntry[] = [];
    let chars = 0;
    for (const entry of following) {
      if (entries.length >= limit || chars > PAGE_CHARS) break;
      entries.push(entry);
      chars += entry.body.length;
    }
    const last = entries.at(-1);
    const next = last ? { epoch: last.epoch, offset: last.offset } : start;
    return { gap, entries, next, hasMore: this.compare(next, this.latest()) < 0 };
  }

  readType(after: Position, type: EventBody['type'], limit: number): readonly LogEntry[] {
    return this.#following(after)
      .filter((entry) => JSON.parse(entry.body).type === type)
      .slice(0, limit);
  }

  count(after: Position, type?: EventBody['type']): number {
    return type ? this.readType(after, type, Number.POSITIVE_INFINITY).length : this.#following(after).length;
  }

  ends(): { readonly epoch: string; readonly firstOffset: number; readonly lastOffset: number } {
    const epoch = this.#current();
    return { epoch: epoch.name, firstOffset: first(epoch), lastOffset: epoch.lastOffset };
  }

  oldest(): Position {
    const epoch = this.#epochs.find((e) => e.entries.length > 0) ?? this.#current();
    return { epoch: epoch.name, offset: first(epoch) - 1 };
  }

  latest(): Position {
    const epoch = this.#current();
    return { epoch: epoch.name, offset: epoch.lastOffset };
  }

  compare(a: Position, b: Position): number {
    const [i, j] = [this.#index(a.epoch), this.#index(b.epoch)];
    if (i !== j) return Math.sign(i - j);
    return i < 0 ? 0 : Math.sign(a.offset - b.offset);
  }

  locate(position: Position): 'known' | 'ahead' | 'unknown' {
    const epoch = this.#epoch(position.epoch);
    if (!epoch) return 'unknown';
    // An older epoch may have sent more than was kept.
    return epoch === this.#current() && position.offset > epoch.lastOffset ? 'ahead' : 'known';
  }

  nextGap(after: Position): Gap | null {
    let at = after;
    for (;;) {
      const gap = this.#gapAt(at);
      if (gap) return gap;
      const epoch = this.#epoch(at.epoch) ?? this.#current();
      if (at.offset >= epoch.lastOffset) return null;
      at = { epoch: epoch.name, offset: epoch.lastOffset };
    }
  }

  onAppend(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** The gap that stands directly after a position: trimmed events, or the end of an epoch. */
  #gapAt(at: Position): Gap | null {
    const index = this.#index(at.epoch);
    const epoch = this.#epochs[index];
    if (!epoch) return { from: at, to: this.oldest(), lost: null, reason: 'unknown_epoch' };
    if (at.offset < first(epoch) - 1) {
      const to = { epoch: epoch.name, offset: first(epoch) - 1 };
      return { from: at, to, lost: to.offset - at.offset, reason: epoch.trimReason };
    }
    const next = this.#epochs[index + 1];
    if (at.offset < epoch.lastOffset || !next) return null;
    return { from: at, to: { epoch: next.name, offset: first(next) - 1 }, ...next.before };
  }

  #following(after: Position): LogEntry[] {
    const from = this.#epoch(after.epoch) ? after : this.oldest();
    return this.#epochs.flatMap((e) => e.entries).filter((entry) => this.compare(entry, from) > 0);
  }

  #current(): Epoch {
    return this.#epochs[this.#epochs.length - 1]!;
  }

  #index(name: string): number {
    return this.#epochs.findIndex((epoch) => epoch.name === name);
  }

  #epoch(name: string): Epoch | undefined {
    return this.#epochs[this.#index(name)];
  }
}

/** The first offset kept, or the next to be given when nothing is. */
function first(epoch: Epoch): number {
  return epoch.entries[0]?.offset ?? epoch.lastOffset + 1;
}

export class MemoryClients implements ClientStore {
  readonly #records = new Map<string, ClientRecord>();
  readonly #log: EventLog;
  readonly #now: () => number;

  constructor(log: EventLog, now: () => number = () => Date.UTC(2026, 0, 15, 16, 0)) {
    this.#log = log;
    this.#now = now;
  }

  get(clientId: string): ClientRecord | null {
    return this.#records.get(clientId) ?? null;
  }

  open(clientId: string): ClientRecord | null {
    const known = this.#records.get(clientId);
    if (!known && this.#records.size >= HTTP_LIMITS.maxClients && !this.#forgetOne()) return null;
    const record = {
      ...{ clientId, cursor: null, base: this.#log.oldest(), sent: null },
      ...known,
      seenMs: this.#now(),
    };
    this.#records.set(clientId, record);
    return record;
  }

  acknowledge(clientId: string, to: Position): Position {
    const record = this.open(clientId);
    if (!record) return to;
    const cursor = this.#later(record.cursor, to);
    this.#records.set(clientId, { ...record, cursor, sent: this.#later(record.sent, to) });
    return cursor;
  }

  markSent(clientId: string, to: Position): void {
    const record = this.#records.get(clientId);
    if (record) this.#records.set(clientId, { ...record, sent: this.#later(record.sent, to) });
  }

  list(): readonly ClientRecord[] {
    return [...this.#records.values()];
  }

  #later(a: Position | null, b: Position): Position {
    return a !== null && this.#log.compare(a, b) >= 0 ? a : b;
  }

  #forgetOne(): boolean {
    const before = this.#now() - HTTP_LIMITS.clientForgottenMs;
    const stale = [...this.#records.values()].find((record) => record.seenMs < before);
    return stale !== undefined && this.#records.delete(stale.clientId);
  }
}

export class MemorySync implements SyncStore {
  /** Ended sessions, oldest first. */
  readonly ended: SessionData[] = [];
  readonly #states = new Map<string, SyncState>();

  state(sessionId: string): SyncState | null {
    return this.#states.get(sessionId) ?? null;
  }

  put(state: SyncState): void {
    this.#states.set(state.sessionId, state);
  }

  unconfirmed(limit: number): readonly SessionData[] {
    return this.ended.filter((session) => !this.#states.get(session.session_id)?.confirmed).slice(0, limit);
  }

  countUnconfirmed(): number {
    return this.unconfirmed(Number.POSITIVE_INFINITY).length;
  }

  due(): readonly SyncState[] {
    return [...this.#states.values()].filter((state) => !state.confirmed && state.askAtMs !== null);
  }
}
