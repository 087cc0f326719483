/**
 * Mends a copy of a damaged write-ahead log. SQLite stops reading at the first frame whose checksum does not hold, so
 * one flipped bit hides every commit after it. Here all frames of the log's last turn get fitting checksums again;
 * which rows in them are whole is decided by their seals. (https://www.sqlite.org/fileformat2.html#walformat)
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { PAGE_BYTES } from './connection.ts';
import { pieces, readFully } from './pieces.ts';

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES;
/** Checksums over little-endian words; the lowest bit set would mean big-endian. */
const MAGIC = 0x377f0682;
const FORMAT = 3007000;

/** Writes the mended log of `from` to `to`, a new file; false when there is no frame in it. */
export function mendWal(from: string, to: string): boolean {
  const source = openSync(from, 'r');
  try {
    const salts = turnSalts(source);
    const end = salts && endOfTurn(source, salts);
    if (!end) return false;
    const target = openSync(to, 'wx', 0o600);
    try {
      mend(source, target, salts, end);
    } finally {
      closeSync(target);
    }
    return true;
  } finally {
    closeSync(source);
  }
}

function mend(source: number, target: number, salts: Buffer, end: number): void {
  const header = Buffer.alloc(HEADER_BYTES);
  readFully(source, header, 0);
  header.writeUInt32BE(MAGIC, 0);
  header.writeUInt32BE(FORMAT, 4);
  header.writeUInt32BE(PAGE_BYTES, 8);
  salts.copy(header, 16);
  let sum = checksum([0, 0], header.subarray(0, 24));
  writeSum(header, 24, sum);
  writeFully(target, header);
  for (const { at, bytes } of pieces(source, HEADER_BYTES, FRAME_BYTES)) {
    const frames = bytes.subarray(0, Math.max(0, end - at));
    for (let n = 0; n < frames.length; n += FRAME_BYTES) {
      salts.copy(frames, n + 8);
      sum = checksum(sum, frames.subarray(n, n + 8));
      sum = checksum(sum, frames.subarray(n + FRAME_HEADER_BYTES, n + FRAME_BYTES));
      writeSum(frames, n + 16, sum);
    }
    writeFully(target, frames);
    if (at + bytes.length >= end) return;
  }
}

/** Frames are written in order: all before the last one of this turn are of this turn too. 0: there is none. */
function endOfTurn(fd: number, salts: Buffer): number {
  let end = 0;
  for (const { at, bytes } of pieces(fd, HEADER_BYTES, FRAME_BYTES)) {
    for (let n = 0; n < bytes.length; n += FRAME_BYTES) {
      if (salts.equals(bytes.subarray(n + 8, n + 16))) end = at + n + FRAME_BYTES;
    }
  }
  return end;
}

type Sum = readonly [number, number];

/** The salts of this turn stand in the header and in its first frame; either may be damaged. null: there is no frame. */
function turnSalts(fd: number): Buffer | null {
  const start = Buffer.alloc(HEADER_BYTES + 2 * FRAME_BYTES);
  const length = readFully(fd, start, 0);
  if (length < HEADER_BYTES + FRAME_BYTES) return null;
  const saltsAt = (at: number) => Buffer.from(start.subarray(at, at + 8));
  const ofHeader = saltsAt(16);
  const ofFirst = saltsAt(HEADER_BYTES + 8);
  const second = length === start.length ? saltsAt(HEADER_BYTES + FRAME_BYTES + 8) : ofFirst;
  return ofFirst.equals(ofHeader) || ofFirst.equals(second) ? ofFirst : ofHeader;
}

function checksum([a, b]: Sum, bytes: Buffer): Sum {
  let first = a;
  let second = b;
  for (let at = 0; at < bytes.length; at += 8) {
    first = (first + bytes.readUInt32LE(at) + second) >>> 0;
    second = (second + bytes.readUInt32LE(at + 4) + first) >>> 0;
  }
  return [first, second];
}

function writeSum(wal: Buffer, at: number, [a, b]: Sum): void {
  wal.writeUInt32BE(a, at);
  wal.writeUInt32BE(b, at + 4);
}

function writeFully(fd: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}
