/**
 * One libsql connection with the PRAGMAs that the store relies on, read back after they were set, and the little of
 * libsql's interface that is used. Nobody else imports libsql but lock.ts and checkpoint.ts.
 */
import Database from 'libsql';
import type { SqlValue } from './seal.ts';

export interface Statement<Row> {
  /** Rows changed. */
  run(params: readonly SqlValue[]): number;
  get(params: readonly SqlValue[]): Row | undefined;
  all(params: readonly SqlValue[]): Row[];
}

export interface Connection {
  prepare<Row>(sql: string): Statement<Row>;
  exec(sql: string): void;
  pragma(name: string): unknown;
  readonly inTransaction: boolean;
  /** A statement has found the file damaged. */
  readonly damaged: boolean;
  /** Called once, when the first statement finds the file damaged, before its error is thrown. */
  onDamage(listener: () => void): void;
  close(): void;
}

/** Small pages: one event's commit writes one or two of them to the log (15 µs against 30 with 4096). */
export const PAGE_BYTES = 2048;

type Pragmas = Readonly<Record<string, string | number>>;

/** A log is kept at its length, as room for a full disk, but not at what a flood made of it. */
const WAL_KEPT_BYTES = 16 * 1024 * 1024;

/**
 * How long a write waits for somebody else's, ms: long enough for a look from outside that writes a row, and the main
 * thread, which waits with it, still sends its events. Whatever holds the database longer is met by waiting in memory.
 */
const FOREIGN_LOCK_MS = 50;

/** The store as it runs: synchronous=1 is NORMAL; checkpoints are checkpoint.ts's. */
export const RUNNING: Pragmas = {
  journal_mode: 'wal',
  synchronous: 1,
  wal_autocheckpoint: 0,
  journal_size_limit: WAL_KEPT_BYTES,
  cache_size: -2000,
  temp_store: 2,
  busy_timeout: FOREIGN_LOCK_MS,
};

/** A file that is filled in one transaction and then renamed: no log beside it, synchronous=2 is FULL. */
export const REBUILDING: Pragmas = { journal_mode: 'delete', synchronous: 2 };

/** A damaged file: whatever it says. */
export const AS_IT_IS: Pragmas = {};

/**
 * libsql closes a file when its objects are collected, and SQLite then removes the `-wal` by name, which may by then be
 * another database's. So a connection to a file that is put aside is never let go.
 */
const abandoned: unknown[] = [];

/** A connection to a file that another one takes the place of. */
export function abandon(connection: unknown): void {
  abandoned.push(connection);
}

/** Opens the file (made by SQLite if it is not there). Throws what SQLite throws. */
export function connect(path: string, pragmas: Pragmas): Connection {
  const db = new Database(path);
  try {
    return configured(db, pragmas);
  } catch (error) {
    abandon(db);
    throw error;
  }
}

function configured(db: Database.Database, pragmas: Pragmas): Connection {
  let damaged = false;
  let tell = () => {};
  const watched = <T>(ask: () => T): T => {
    try {
      return ask();
    } catch (error) {
      if (!damaged && isDamageError(error)) {
        damaged = true;
        tell();
      }
      throw error;
    }
  };
  const connection: Connection = {
    prepare: (sql) =>
      statement(
        watched(() => db.prepare(sql)),
        watched,
      ),
    exec: (sql) => void watched(() => db.exec(sql)),
    pragma(name) {
      const row = watched(() => db.prepare(`PRAGMA ${name}`).all([]) as Record<string, unknown>[])[0];
      return row && Object.values(row)[0];
    },
    get inTransaction() {
      return db.inTransaction;
    },
    get damaged() {
      return damaged;
    },
    onDamage(listener) {
      tell = listener;
    },
    close: () => void db.close(),
  };
  if (pragmas !== AS_IT_IS) connection.pragma(`page_size=${PAGE_BYTES}`);
  for (const [name, wanted] of Object.entries(pragmas)) {
    // Some PRAGMAs answer when they are set, some do not; what counts is what they say afterwards.
    connection.pragma(`${name}=${wanted}`);
    const got = connection.pragma(name);
    if (got !== wanted) throw new Error(`PRAGMA ${name} is ${got}, not ${wanted}`);
  }
  return connection;
}

/** libsql with one array of parameters: the only form that takes a lone null and does not copy. */
function statement<Row>(prepared: Database.Statement, watched: <T>(ask: () => T) => T): Statement<Row> {
  return {
    run: (params) => watched(() => prepared.run(params as unknown[]) as { changes: number }).changes,
    get: (params) => watched(() => prepared.get(params as unknown[]) as Row | undefined),
    all: (params) => watched(() => prepared.all(params as unknown[]) as Row[]),
  };
}

/** An open that fails has its code in libsql's words alone. */
const NOT_OPENED = /^ConnectionFailed\("Unable to open .*: (\d+)"\)$/s;

/** The primary result code of a SQLite error; null for other errors. */
function resultCode(error: unknown): number | null {
  const { code, rawCode, message } = (error ?? {}) as {
    code?: unknown;
    rawCode?: unknown;
    message?: unknown;
  };
  const notOpened = NOT_OPENED.exec(String(message));
  if (notOpened) return Number(notOpened[1]) & 0xff;
  if (typeof code !== 'string' || !code.startsWith('SQLITE_')) return null;
  return typeof rawCode === 'number' ? rawCode & 0xff : null;
}

const SQLITE = {
  perm: 3,
  busy: 5,
  locked: 6,
  nomem: 7,
  readonly: 8,
  ioerr: 10,
  corrupt: 11,
  full: 13,
  cantopen: 14,
  protocol: 15,
  format: 24,
  notadb: 26,
} as const;

const DISK_CODES: readonly number[] = [
  SQLITE.full,
  SQLITE.ioerr,
  SQLITE.readonly,
  SQLITE.cantopen,
  SQLITE.perm,
];
const LOCK_CODES: readonly number[] = [SQLITE.busy, SQLITE.locked, SQLITE.protocol];
const DAMAGE_CODES: readonly number[] = [SQLITE.corrupt, SQLITE.notadb, SQLITE.format];

/** What SQLite said, in words that are not libsql's own. */
export function saidBy(error: unknown): string {
  const said = error instanceof Error ? error.message : String(error);
  return NOT_OPENED.test(said) ? 'SQLite cannot open it' : said;
}

/** The disk refuses (full, broken, read-only): the same write may succeed later. */
function isDiskError(error: unknown): boolean {
  return DISK_CODES.includes(resultCode(error) ?? -1);
}

/** Another process holds the database: the same write succeeds when it lets go, and room has nothing to do with it. */
export function isHeld(error: unknown): boolean {
  return LOCK_CODES.includes(resultCode(error) ?? -1);
}

/** The file system has not what a write-ahead log needs: shared memory, and locks. */
export function lacksSharing(error: unknown): boolean {
  return /^SQLITE_IOERR_(SHMMAP|SHMOPEN|SHMLOCK|LOCK)$/.test(String((error as { code?: unknown }).code));
}

/** The disk or the system said no, to SQLite or to a file operation of our own; anything else is a mistake of ours. */
export function isRefused(error: unknown): boolean {
  return isDiskError(error) || isHeld(error) || (error as NodeJS.ErrnoException).syscall !== undefined;
}

/** The file is not what SQLite wrote. */
export function isDamageError(error: unknown): boolean {
  return DAMAGE_CODES.includes(resultCode(error) ?? -1);
}
