/**
 * The tables: one descriptor each, from which the DDL, the sealed insert, the check at the start and the salvage are
 * made. Each row ends in `seal` (see rows.ts). Rowids are ordinary so that a damaged table can be walked by them.
 */
import type { Connection } from './connection.ts';

export const SCHEMA_VERSION = 1;

export interface Table {
  readonly name: string;
  readonly columns: readonly string[];
  /** How many of the first columns are the key. */
  readonly keyLength: number;
}

/**
 * An event's place as one integer: epoch ordinal and offset. SQLite's fastest path is an append by integer key. With
 * 36 bits for the offset 131,072 epochs fit below 2^53.
 */
const OFFSETS_PER_EPOCH = 2 ** 36;
export const toSeq = (ordinal: number, offset: number): number => ordinal * OFFSETS_PER_EPOCH + offset;
export const seqOrdinal = (seq: number): number => Math.floor(seq / OFFSETS_PER_EPOCH);
export const seqOffset = (seq: number): number => seq % OFFSETS_PER_EPOCH;

export const EVENTS: Table = {
  name: 'events',
  columns: ['seq', 'id', 'ts', 'type', 'body'],
  keyLength: 1,
};
/** `pruned_to`: retention took everything up to there. `lost`: what is lost at the border before it; null: unknown. */
export const EPOCHS: Table = {
  name: 'epochs',
  columns: ['ordinal', 'epoch', 'reason', 'lost', 'pruned_to'],
  keyLength: 1,
};
/** Offsets that were given and whose rows are lost, as seq, both ends included. */
export const HOLES: Table = { name: 'holes', columns: ['first_seq', 'last_seq'], keyLength: 1 };
export const META: Table = { name: 'meta', columns: ['key', 'value'], keyLength: 1 };
export const CLIENTS: Table = {
  name: 'clients',
  columns: ['client_id', 'seen_ms', 'acked_epoch', 'acked_offset', 'sent_epoch', 'sent_offset'],
  keyLength: 1,
};
export const USAGE: Table = {
  name: 'usage',
  columns: ['day', 'child', 'game', 'used_ms', 'limit_minutes'],
  keyLength: 3,
};
export const SESSIONS: Table = {
  name: 'sessions',
  columns: ['session_id', 'child', 'start_ms', 'end_ms', 'is_active', 'first_day', 'last_day', 'value'],
  keyLength: 1,
};
/** The session actor's own records. */
export const STATE: Table = { name: 'state', columns: ['key', 'value'], keyLength: 1 };
export const SYNC: Table = {
  name: 'sync',
  columns: ['session_id', 'confirmed', 'asks', 'ask_at_ms'],
  keyLength: 1,
};
export const COMMANDS: Table = {
  name: 'commands',
  columns: ['command_id', 'accepted_ms', 'body_hash', 'command', 'answer'],
  keyLength: 1,
};
export const TOLD: Table = { name: 'told', columns: ['pid', 'start_key', 'value'], keyLength: 2 };

export const TABLES: readonly Table[] = [
  META,
  EPOCHS,
  HOLES,
  EVENTS,
  CLIENTS,
  USAGE,
  SESSIONS,
  STATE,
  SYNC,
  COMMANDS,
  TOLD,
];

/** Tables whose key is the rowid. */
export const INTEGER_KEYS: ReadonlySet<Table> = new Set([EPOCHS, HOLES, EVENTS]);

function ddl(table: Table): string {
  const key = table.columns.slice(0, table.keyLength);
  const columns = table.columns.map((c) => (INTEGER_KEYS.has(table) && c === key[0] ? `${c} INTEGER` : c));
  return `CREATE TABLE ${table.name}(${columns.join(', ')}, seal, PRIMARY KEY(${key.join(', ')}));`;
}

export function createSchema(db: Connection): void {
  db.exec(`BEGIN IMMEDIATE;
    ${TABLES.map(ddl).join('\n')}
    CREATE INDEX notifications ON events(seq) WHERE type = 'notification';
    CREATE INDEX sessions_by_day ON sessions(last_day);
    CREATE TABLE reserve(room);
    PRAGMA user_version=${SCHEMA_VERSION};
    COMMIT;`);
}
