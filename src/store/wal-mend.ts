/**
 * Mends a copy of a damaged write-ahead log. SQLite stops reading at the first frame whose checksum does not hold, so
 * one flipped bit hides every commit after it. Here all frames of the log's last turn get fitting checksums again;
 * which rows in them are whole is decided by their seals. (https://www.sqlite.org/fileformat2.html#walformat)
 */
import { PAGE_BYTES } from './connection.ts';

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES;
/** Checksums over little-endian words; the lowest bit set would mean big-endian. */
const MAGIC = 0x377f0682;
const FORMAT = 3007000;

/** The mended log; null when there is no frame in it. */
export function mendWal(wal: Buffer): Buffer | null {
  const count = Math.floor((wal.length - HEADER_BYTES) / FRAME_BYTES);
  if (count < 1) return null;
  const mended = Buffer.from(wal);
  const salts = turnSalts(mended);
  // Frames are written in order: all before the last one of this turn are of this turn too.
  let frames = count;
  while (frames > 0 && !salts.equals(frameSalts(mended, frames - 1))) frames--;
  if (frames === 0) return null;

  mended.writeUInt32BE(MAGIC, 0);
  mended.writeUInt32BE(FORMAT, 4);
  mended.writeUInt32BE(PAGE_BYTES, 8);
  salts.copy(mended, 16);
  let sum = checksum([0, 0], mended.subarray(0, 24));
  writeSum(mended, 24, sum);
  for (let n = 0; n < frames; n++) {
    const at = HEADER_BYTES + n * FRAME_BYTES;
    salts.copy(mended, at + 8);
    sum = checksum(sum, mended.subarray(at, at + 8));
    sum = checksum(sum, mended.subarray(at + FRAME_HEADER_BYTES, at + FRAME_BYTES));
    writeSum(mended, at + 16, sum);
  }
  return mended.subarray(0, HEADER_BYTES + frames * FRAME_BYTES);
}

type Sum = readonly [number, number];

/** The salts of this turn stand in the header and in its first frame; either may be damaged. */
function turnSalts(wal: Buffer): Buffer {
  const ofHeader = Buffer.from(wal.subarray(16, 24));
  const ofFirst = Buffer.from(frameSalts(wal, 0));
  const second = wal.length >= HEADER_BYTES + 2 * FRAME_BYTES ? frameSalts(wal, 1) : ofFirst;
  return ofFirst.equals(ofHeader) || ofFirst.equals(second) ? ofFirst : ofHeader;
}

function frameSalts(wal: Buffer, n: number): Buffer {
  const at = HEADER_BYTES + n * FRAME_BYTES + 8;
  return wal.subarray(at, at + 8);
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
