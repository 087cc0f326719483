/**
 * Clients and their cursors (contract H1, D8). The truth is in memory; what changed is written with the next group
 * fsync (at most 50 ms later), so that an acknowledgement costs no write of its own. One that a kill -9 takes back means
 * that events are sent again, never that one is missed. Only a new name is written at once, before anything is sent to it.
 */
import type { ClientRecord, ClientStore, Clock } from '../protocol/ports.ts';
import type { Position } from '../protocol/position.ts';
import type { Records } from './records.ts';
import type { Row } from './rows.ts';

const MAX_CLIENTS = 8;
const FORGET_AFTER_MS = 30 * 86_400_000;

export interface ClientOptions {
  readonly clock: Clock;
  readonly compare: (a: Position, b: Position) => number;
  /** Before the oldest event kept. */
  readonly oldest: () => Position;
  /** Called when something is to be written soon: `flush` is due. */
  readonly changed: () => void;
  /** The last run did not end cleanly, or its records were damaged: everything up to here may have been sent to anybody. null: it did. */
  readonly sentAtMost: Position | null;
  /** Up to where a client of whom nothing is known may have been sent events; null: it never was here. */
  readonly sentToStrangers: () => Position | null;
}

export interface Clients extends ClientStore {
  forgetUnseen(): void;
  /** Writes what changed, inside a transaction. `lazy` too: what nobody would miss after a crash. */
  flush(lazy: boolean): void;
  /** What every remembered client has acknowledged; null: nothing, or nobody to ask. */
  acknowledgedByAll(): Position | null;
}

export function openClients(records: Records, options: ClientOptions): Clients {
  const { clock, compare } = options;
  const clients = new Map<string, ClientRecord>();
  const changed = new Set<string>();
  const changedLazily = new Set<string>();
  /** When each client of this run was last seen, on the clock that nobody can set and that no day start moves. */
  const seenAt = new Map<string, number>();

  for (const row of records.select(records.query('ORDER BY client_id'))) {
    const record = fromRow(row, options.oldest());
    const sent = options.sentAtMost ?? record.sent;
    clients.set(record.clientId, { ...record, sent });
    // Else a clean stop would write down what was known before the crash.
    if (options.sentAtMost !== null) changedLazily.add(record.clientId);
  }

  function put(record: ClientRecord): void {
    clients.set(record.clientId, record);
    changed.add(record.clientId);
    options.changed();
  }

  function stranger(clientId: string): ClientRecord {
    return { clientId, cursor: null, base: options.oldest(), sent: options.sentToStrangers(), seenMs: 0 };
  }

  function seen(record: ClientRecord): ClientRecord {
    seenAt.set(record.clientId, clock.monotonic());
    return { ...record, seenMs: clock.wall() };
  }

  /** Trusted time may leap by months when a wrong clock is put right: who was here before the leap was not away. */
  function forgetUnseen(): void {
    for (const record of [...clients.values()]) {
      const { clientId } = record;
      const at = seenAt.get(clientId);
      const unseenMs = at === undefined ? clock.wall() - record.seenMs : clock.monotonic() - at;
      if (unseenMs >= FORGET_AFTER_MS) {
        clients.delete(clientId);
        seenAt.delete(clientId);
        records.remove([clientId]);
      } else if (clock.wall() - unseenMs > record.seenMs) {
        // So that the next run does not find it away since before the leap.
        clients.set(clientId, { ...record, seenMs: clock.wall() - unseenMs });
        changedLazily.add(clientId);
      }
    }
  }

  const further = (a: Position | null, b: Position) => (a !== null && compare(a, b) >= 0 ? a : b);

  return {
    get: (clientId) => clients.get(clientId) ?? null,
    open(clientId) {
      const known = clients.get(clientId);
      // Before others are forgotten: whoever is here is not away, whatever the clock says.
      if (known) clients.set(clientId, seen(known));
      forgetUnseen();
      if (!known && clients.size >= MAX_CLIENTS) return null;
      const record = seen(known ?? stranger(clientId));
      clients.set(clientId, record);
      // A name the next run has never heard of would be told everything as if for the first time.
      if (!known) records.put(toRow(record));
      else changedLazily.add(clientId);
      return record;
    },
    acknowledge(clientId, to) {
      const record = clients.get(clientId);
      if (!record) return to;
      if (record.cursor !== null && compare(record.cursor, to) >= 0) return record.cursor;
      put(seen({ ...record, cursor: to, sent: further(record.sent, to) }));
      return to;
    },
    markSent(clientId, to) {
      const record = clients.get(clientId);
      if (!record || further(record.sent, to) !== to) return;
      clients.set(clientId, { ...record, sent: to });
      changedLazily.add(clientId);
    },
    list: () => [...clients.values()],
    forgetUnseen,
    flush(lazy) {
      const due = lazy ? new Set([...changed, ...changedLazily]) : changed;
      for (const clientId of due) {
        const record = clients.get(clientId);
        if (record) records.put(toRow(record));
      }
      changed.clear();
      if (lazy) changedLazily.clear();
    },
    acknowledgedByAll() {
      let least: Position | null = null;
      for (const { cursor } of clients.values()) {
        if (cursor === null) return null;
        if (least === null || compare(cursor, least) < 0) least = cursor;
      }
      return least;
    },
  };
}

/** As long as nothing is acknowledged the base stands in the place of the cursor, its offset below zero. */
function toRow({ clientId, cursor, base, sent, seenMs }: ClientRecord) {
  const [epoch, offset] = cursor ? [cursor.epoch, cursor.offset] : [base.epoch, -1 - base.offset];
  return [clientId, seenMs, epoch, offset, sent?.epoch ?? null, sent?.offset ?? null];
}

function fromRow(row: Row, oldest: Position): ClientRecord {
  const at = (epoch: unknown, offset: unknown): Position | null =>
    typeof epoch === 'string' ? { epoch, offset: Number(offset) } : null;
  const stands = at(row.acked_epoch, row.acked_offset);
  const began = stands !== null && stands.offset < 0;
  return {
    clientId: String(row.client_id),
    seenMs: Number(row.seen_ms),
    cursor: began ? null : stands,
    base: began ? { epoch: stands.epoch, offset: -1 - stands.offset } : oldest,
    sent: at(row.sent_epoch, row.sent_offset),
  };
}
