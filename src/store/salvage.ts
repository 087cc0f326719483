/**
 * Reads what is whole out of a damaged database: from a copy whose log is mended, around pages that cannot be read,
 * and with a new first page if the old one is gone. Which rows are whole is for their seals to say.
 */
import { closeSync, existsSync, openSync, readSync, rmSync, statSync, writeSync } from 'node:fs';
import { AS_IT_IS, type Connection, connect, PAGE_BYTES, REBUILDING } from './connection.ts';
import { copyIfThere, createPrivate, type StorePaths } from './files.ts';
import { type Row, selectRows } from './rows.ts';
import { createSchema, TABLES, type Table } from './schema.ts';
import { mendWal } from './wal-mend.ts';

/** A copy that can be read as far as it can be; `remove` when done. */
export interface Salvage {
  rows(table: Table): Iterable<Row>;
  remove(): void;
}

/** null: not even the tables can be found. */
export function openSalvage(paths: StorePaths): Salvage | null {
  for (const mendFirstPage of [false, true]) {
    const copy = `${paths.db}.salvage${mendFirstPage ? '-2' : ''}`;
    removeCopy(copy);
    const db = makeCopy(paths, copy) && (!mendFirstPage || replaceFirstPage(copy)) ? tryToAsk(copy) : null;
    if (db) return { rows: (table) => readAround(db, table), remove: () => removeCopy(copy) };
    removeCopy(copy);
  }
  return null;
}

function makeCopy(paths: StorePaths, copy: string): boolean {
  createPrivate(copy);
  if (!copyIfThere(paths.db, copy) || statSync(copy).size === 0) return false;
  if (existsSync(paths.wal)) mendWal(paths.wal, `${copy}-wal`);
  return true;
}

/** On Windows an open file stays; the next salvage removes it. */
function removeCopy(copy: string): void {
  for (const path of [copy, `${copy}-wal`, `${copy}-shm`, `${copy}.first`]) {
    try {
      rmSync(path, { force: true });
    } catch {}
  }
}

/** The tables are always made in the same order, so the first page of an empty database fits any other. */
function replaceFirstPage(copy: string): boolean {
  const pages = Math.floor(statSync(copy).size / PAGE_BYTES);
  if (pages < 2) return false;
  const template = `${copy}.first`;
  createPrivate(template);
  createSchema(connect(template, REBUILDING));
  const page = Buffer.alloc(PAGE_BYTES);
  const from = openSync(template, 'r');
  readSync(from, page, 0, PAGE_BYTES, 0);
  closeSync(from);
  const WAL_MODE = 2;
  page[18] = WAL_MODE;
  page[19] = WAL_MODE;
  page.writeUInt32BE(pages, 28);
  const to = openSync(copy, 'r+');
  writeSync(to, page, 0, PAGE_BYTES, 0);
  closeSync(to);
  return true;
}

/** null: not a database any more, or not with this first page. */
function tryToAsk(copy: string): Connection | null {
  try {
    const db = connect(copy, AS_IT_IS);
    return TABLES.every((table) => canBeAsked(db, table)) ? db : null;
  } catch {
    return null;
  }
}

function canBeAsked(db: Connection, table: Table): boolean {
  try {
    db.prepare(`SELECT ${table.columns.join(', ')}, seal FROM ${table.name} LIMIT 0`).all([]);
    return true;
  } catch {
    return false;
  }
}

const CHUNK = 256;
/** Past the last rowid that is ever given. */
const END = Number.MAX_SAFE_INTEGER;

/** All rows that can be read, in order: a range that fails is read in halves, down to the row. */
function* readAround(db: Connection, table: Table): Generator<Row> {
  const select = selectRows(
    db,
    table,
    'NOT INDEXED WHERE rowid > ? AND rowid <= ? ORDER BY rowid LIMIT ?',
    'rowid AS at, ',
  );
  const read = (after: number, upTo: number, limit: number): Row[] | null => {
    try {
      return select.all([after, upTo, limit]);
    } catch {
      return null;
    }
  };
  let after = 0;
  while (after < END) {
    const rows = read(after, END, CHUNK) ?? read(after, END, 1);
    if (rows) {
      // In a damaged tree rowids may fall: such rows would be read for ever.
      const last = Number(rows.at(-1)?.at ?? after);
      if (last <= after) return;
      yield* rows;
      after = last;
      continue;
    }
    const next = nextReadable(after, read);
    if (next === null) return;
    after = next;
  }
}

/** Beyond a place that cannot be read: the nearest rowid from which it can; null: there is none. */
function nextReadable(
  after: number,
  read: (after: number, upTo: number, limit: number) => Row[] | null,
): number | null {
  let step = 1;
  while (after + step < END && read(after + step, END, 1) === null) step *= 2;
  if (after + step >= END) return null;
  let bad = Math.floor(step / 2);
  let good = step;
  while (good - bad > 1) {
    const middle = Math.floor((bad + good) / 2);
    if (read(after + middle, END, 1) === null) bad = middle;
    else good = middle;
  }
  return after + good;
}
