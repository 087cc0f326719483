/**
 * The check at the start (contract D11): is this the database that the last run left? Its seals, its offsets, its
 * generation against the high-water file, and whether anybody else has written to its files.
 */
import { EXIT, UserError } from '../protocol/exit-codes.ts';
import { type Connection, isDamageError } from './connection.ts';
import { openEpochs } from './epochs.ts';
import { type FileMark, fileMark, type StorePaths, sameMark } from './files.ts';
import type { FoundHighWater } from './high-water.ts';
import { isWhole, type Row, selectRows } from './rows.ts';
import { EVENTS, META, SCHEMA_VERSION, seqOffset, seqOrdinal, TABLES, type Table, toSeq } from './schema.ts';
import type { Sealer } from './seal.ts';
import { nextKept, Timeline } from './timeline.ts';

/** What was found wrong, in the words the event uses. */
export type Damage =
  /** A file that was there is gone. */
  | 'deleted'
  /** SQLite cannot read it, or not all of it. */
  | 'unreadable'
  /** Rows are not as they were written, or are missing from between others. */
  | 'altered'
  /** It is older than what was already safe on the disk: the end was cut off, or a copy put back. */
  | 'rolled_back'
  /** Somebody else wrote to it while the agent did not run, though every row holds. */
  | 'touched'
  /** The key of the seals, or the high-water file, is gone: nothing can be compared any more. */
  | 'key_lost'
  | 'high_water_lost';

export const GENERATION = 'generation';

/** The two files as they lie there before anything opens them. */
export interface FoundFiles {
  readonly db: FileMark | null;
  readonly wal: FileMark | null;
}

export function findFiles(paths: StorePaths): FoundFiles {
  return { db: fileMark(paths.db), wal: fileMark(paths.wal) };
}

/** File times mean nothing on Windows: they are brought up to date when the last handle is closed, by the system. */
const MARKS_HOLD = process.platform !== 'win32';

/** Whether somebody else wrote to the files since this agent did, as far as that can be known without reading them. */
export function wasTouched(files: FoundFiles, highWater: FoundHighWater, bootId: string): boolean {
  // A power loss may keep a newer file beside an older mark.
  const sameBoot = highWater.bootId === bootId;
  if (!MARKS_HOLD || !highWater.settled || highWater.moved || !(highWater.clean || sameBoot)) return false;
  return (
    (highWater.db !== null && !sameMark(files.db, highWater.db)) ||
    (sameBoot && highWater.wal !== null && !logIsOurs(files, highWater))
  );
}

/** After a clean stop the log may be gone or empty; another than was left may say otherwise than the main file. */
function logIsOurs(files: FoundFiles, { clean, wal }: FoundHighWater): boolean {
  return sameMark(files.wal, wal) || (clean && (files.wal === null || files.wal.size === '0'));
}

/** What of the main file needs no second look: the events up to this seq, if it is as the last checkpoint left it. */
export function trustedSeq(files: FoundFiles, highWater: FoundHighWater): number {
  const { db, clean } = highWater;
  if (clean && !logIsOurs(files, highWater)) return 0;
  return MARKS_HOLD && db && !highWater.moved && sameMark(files.db, db) ? db.seq : 0;
}

/** Reads what has to be read and says what is wrong; empty: nothing. */
export function inspect(
  db: Connection,
  sealer: Sealer,
  highWater: FoundHighWater | null,
  trusted: number,
): Damage[] {
  try {
    const version = Number(db.pragma('user_version'));
    if (version > SCHEMA_VERSION) {
      throw new UserError(EXIT.disk, `the database was made by a newer version of playwarden (${version})`);
    }
    if (version !== SCHEMA_VERSION) return ['unreadable'];
    const found = new Set<Damage>();
    if (!(trusted === 0 ? db.pragma('quick_check(1)') === 'ok' : answers(db))) found.add('unreadable');
    for (const table of TABLES) {
      if (table !== EVENTS && !rowsHold(db, table, sealer)) found.add('altered');
    }
    const timeline = readTimeline(db, sealer);
    if (timeline === null) return ['altered'];
    if (!eventsHold(db, sealer, timeline, trusted)) found.add('altered');
    if (highWater && isBehind(db, timeline, highWater)) found.add('rolled_back');
    return [...found];
  } catch (error) {
    if (isDamageError(error) || (error as { code?: unknown }).code === 'SQLITE_ERROR') return ['unreadable'];
    throw error;
  }
}

/**
 * Of a file that is as it was left: whether what the start will ask can be read. Its mark does not see a page that has
 * rotted. A page between the oldest and the newest events is only found when it is read (see store.ts).
 */
function answers(db: Connection): boolean {
  for (const order of ['ASC', 'DESC']) selectRows(db, EVENTS, `ORDER BY seq ${order} LIMIT 1`).get([]);
  db.prepare("SELECT count(*) FROM events WHERE type = 'notification'").get([]);
  return TABLES.every((table) => table === EVENTS || db.pragma(`quick_check(${table.name})`) === 'ok');
}

export function readGeneration(db: Connection): number {
  const row = selectRows(db, META, 'WHERE key = ?').get([GENERATION]);
  return Number(row?.value ?? 0);
}

const PAGE_ROWS = 1_000;

/** Every row of a table in the order of its rowid, from one on, in pages; ends where the order is broken. */
export function* rowsOf(db: Connection, table: Table, after = 0): Generator<Row[]> {
  const select = selectRows(
    db,
    table,
    `NOT INDEXED WHERE rowid > ? ORDER BY rowid LIMIT ${PAGE_ROWS}`,
    'rowid AS at, ',
  );
  for (let at = after; ; ) {
    const rows = select.all([at]);
    const last = Number(rows.at(-1)?.at ?? at);
    if (last <= at) return;
    yield rows;
    at = last;
  }
}

function rowsHold(db: Connection, table: Table, sealer: Sealer): boolean {
  for (const rows of rowsOf(db, table)) {
    if (!rows.every((row) => isWhole(table, row, sealer))) return false;
  }
  return true;
}

function readTimeline(db: Connection, sealer: Sealer): Timeline | null {
  const spans = openEpochs(db, sealer).load();
  return spans.length === 0 ? null : new Timeline(spans);
}

/** From one seq on: every row holds, and every offset that should be there is. */
function eventsHold(db: Connection, sealer: Sealer, timeline: Timeline, after: number): boolean {
  const from = timeline.spans.find((s) => s.ordinal === seqOrdinal(after));
  let missing = from
    ? timeline.count({ epoch: from.epoch, offset: seqOffset(after) })
    : timeline.count({ epoch: '', offset: 0 });
  const spans = new Map(timeline.spans.map((span) => [span.ordinal, span]));
  for (const rows of rowsOf(db, EVENTS, after)) {
    for (const row of rows) {
      const seq = Number(row.seq);
      const span = spans.get(seqOrdinal(seq));
      if (!span || nextKept(span, seqOffset(seq) - 1) !== seqOffset(seq)) return false;
      if (!isWhole(EVENTS, row, sealer)) return false;
      missing--;
    }
  }
  return missing === 0;
}

function isBehind(db: Connection, timeline: Timeline, highWater: FoundHighWater): boolean {
  if (readGeneration(db) < highWater.generation) return true;
  const span = timeline.span(highWater.epoch);
  return !span || toSeq(span.ordinal, span.last) < toSeq(highWater.ordinal, highWater.offset);
}
