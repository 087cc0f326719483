/**
 * Finds rows in the raw pages of a damaged database and its log, whatever became of the tree that led to them: each
 * leaf page is read by itself. Their seals say which are ours. Only for rows of which an older copy does no harm.
 * (https://www.sqlite.org/fileformat2.html#b_tree_pages)
 */
import { closeSync, existsSync, openSync } from 'node:fs';
import { PAGE_BYTES } from './connection.ts';
import type { StorePaths } from './files.ts';
import { pieces, readFully } from './pieces.ts';
import { isWhole, type Row } from './rows.ts';
import type { Table } from './schema.ts';
import type { Sealer, SqlValue } from './seal.ts';

const LEAF_OF_A_TABLE = 0x0d;
const FILE_HEADER_BYTES = 100;
const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const WAL_FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES;

/** Far above the longest row; a damaged length would be followed for ever where pages point in a circle. */
const MAX_RECORD_BYTES = 16 * 1024 * 1024;

/** Every row of these tables that holds, found anywhere; the same row may come more than once. */
export function* carve(
  paths: StorePaths,
  tables: readonly Table[],
  sealer: Sealer,
): Generator<{ readonly table: Table; readonly row: Row }> {
  const main = openIfThere(paths.db);
  const wal = openIfThere(paths.wal);
  const page = pageFinder(main, wal);
  try {
    for (const { bytes, number } of pagesOf(main, wal)) {
      for (const record of records(bytes, number === 1 ? FILE_HEADER_BYTES : 0, page)) {
        const found = asRowOf(tables, record, sealer);
        if (found) yield found;
      }
    }
  } finally {
    for (const fd of [main, wal]) if (fd !== null) closeSync(fd);
  }
}

function openIfThere(path: string): number | null {
  return existsSync(path) ? openSync(path, 'r') : null;
}

interface Page {
  readonly bytes: Buffer;
  readonly number: number;
}

/** Each page of the main file and each frame of the log; its bytes are overwritten by those that follow. */
function* pagesOf(main: number | null, wal: number | null): Generator<Page> {
  for (const { at, bytes } of main === null ? [] : pieces(main, 0, PAGE_BYTES)) {
    for (let n = 0; n < bytes.length; n += PAGE_BYTES) {
      yield { bytes: bytes.subarray(n, n + PAGE_BYTES), number: (at + n) / PAGE_BYTES + 1 };
    }
  }
  for (const { frame } of framesOf(wal)) {
    yield { bytes: frame.subarray(FRAME_HEADER_BYTES), number: frame.readUInt32BE(0) };
  }
}

function* framesOf(wal: number | null): Generator<{ readonly at: number; readonly frame: Buffer }> {
  for (const { at, bytes } of wal === null ? [] : pieces(wal, WAL_HEADER_BYTES, WAL_FRAME_BYTES)) {
    for (let n = 0; n < bytes.length; n += WAL_FRAME_BYTES) {
      yield { at: at + n, frame: bytes.subarray(n, n + WAL_FRAME_BYTES) };
    }
  }
}

/** A page by its number, as the log or else the main file last has it. */
type PageFinder = (number: number) => Buffer | undefined;

function pageFinder(main: number | null, wal: number | null): PageFinder {
  const inWal = new Map<number, number>();
  for (const { at, frame } of framesOf(wal)) inWal.set(frame.readUInt32BE(0), at + FRAME_HEADER_BYTES);
  return (number) => {
    const at = inWal.get(number);
    const fd = at === undefined ? main : wal;
    const bytes = Buffer.alloc(PAGE_BYTES);
    const from = at ?? (number - 1) * PAGE_BYTES;
    return fd !== null && from >= 0 && readFully(fd, bytes, from) === PAGE_BYTES ? bytes : undefined;
  };
}

interface RawRecord {
  readonly rowid: number;
  readonly values: readonly SqlValue[];
}

function* records(page: Buffer, header: number, find: PageFinder): Generator<RawRecord> {
  if (page[header] !== LEAF_OF_A_TABLE) return;
  const cells = page.readUInt16BE(header + 3);
  for (let n = 0; n < cells && header + 8 + 2 * n + 2 <= page.length; n++) {
    try {
      yield readCell(page, page.readUInt16BE(header + 8 + 2 * n), find);
    } catch {
      // Not a cell, or not any more: it points out of its page.
    }
  }
}

function readCell(page: Buffer, at: number, find: PageFinder): RawRecord {
  const [size, afterSize] = varint(page, at);
  if (size > MAX_RECORD_BYTES) throw new RangeError('not a record of ours');
  const [rowid, start] = varint(page, afterSize);
  const local = localBytes(size);
  const parts = [page.subarray(start, start + local)];
  let missing = size - local;
  let next = missing > 0 ? page.readUInt32BE(start + local) : 0;
  while (missing > 0) {
    const overflow = find(next);
    if (!overflow) throw new RangeError('no such page');
    parts.push(overflow.subarray(4, 4 + Math.min(missing, PAGE_BYTES - 4)));
    missing -= PAGE_BYTES - 4;
    next = overflow.readUInt32BE(0);
  }
  return { rowid, values: readRecord(Buffer.concat(parts)) };
}

/** How much of a payload stands in the leaf itself. */
function localBytes(size: number): number {
  const most = PAGE_BYTES - 35;
  if (size <= most) return size;
  const least = Math.floor(((PAGE_BYTES - 12) * 32) / 255) - 23;
  const fitting = least + ((size - least) % (PAGE_BYTES - 4));
  return fitting <= most ? fitting : least;
}

function readRecord(bytes: Buffer): SqlValue[] {
  const [headerSize, first] = varint(bytes, 0);
  const values: SqlValue[] = [];
  let body = headerSize;
  for (let at = first; at < headerSize; ) {
    const [type, next] = varint(bytes, at);
    const [value, size] = readValue(bytes, body, type);
    values.push(value);
    body += size;
    at = next;
  }
  return values;
}

const INTEGER_BYTES = [0, 1, 2, 3, 4, 6] as const;

function readValue(bytes: Buffer, at: number, type: number): [value: SqlValue, size: number] {
  const integer = INTEGER_BYTES[type];
  if (type === 0) return [null, 0];
  if (integer !== undefined) return [bytes.readIntBE(at, integer), integer];
  if (type === 6) return [Number(bytes.readBigInt64BE(at)), 8];
  if (type === 7) return [bytes.readDoubleBE(at), 8];
  if (type === 8 || type === 9) return [type - 8, 0];
  const size = Math.floor((type - 12) / 2);
  if (type < 13 || type % 2 === 0 || at + size > bytes.length) throw new RangeError('not a text of ours');
  return [bytes.toString('utf8', at, at + size), size];
}

/** SQLite's variable-length integer: up to nine bytes, big-endian, seven bits each. */
function varint(bytes: Buffer, at: number): [value: number, next: number] {
  let value = 0;
  for (let n = 0; n < 8; n++) {
    const byte = bytes.readUInt8(at + n);
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return [value, at + n + 1];
  }
  return [value * 256 + bytes.readUInt8(at + 8), at + 9];
}

function asRowOf(tables: readonly Table[], record: RawRecord, sealer: Sealer) {
  for (const table of tables) {
    const row = asRow(table, record);
    if (row && isWhole(table, row, sealer)) return { table, row };
  }
  return null;
}

/** An integer key is not stored in the record: it is the rowid. */
function asRow(table: Table, { rowid, values }: RawRecord): Row | null {
  if (values.length !== table.columns.length + 1) return null;
  const row: Row = { seal: values.at(-1) ?? null };
  for (const [i, column] of table.columns.entries()) {
    row[column] = i === 0 && values[0] === null ? rowid : (values[i] ?? null);
  }
  return row;
}
