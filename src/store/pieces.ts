/** Reads files piece by piece: a log that nothing has shortened may be longer than a buffer can be. */
import { readSync } from 'node:fs';

/** About so much is read at once. */
const PIECE_BYTES = 1024 * 1024;

/** Whole units, and where the first of them stands in the file. */
export interface Piece {
  readonly at: number;
  /** Overwritten by the next piece. */
  readonly bytes: Buffer;
}

/** The file from `start` on in pieces of whole units; what is left at its end is no unit. */
export function* pieces(fd: number, start: number, unit: number): Generator<Piece> {
  const buffer = Buffer.alloc(Math.ceil(PIECE_BYTES / unit) * unit);
  for (let at = start; ; ) {
    const read = readFully(fd, buffer, at);
    const length = read - (read % unit);
    if (length === 0) return;
    yield { at, bytes: buffer.subarray(0, length) };
    at += length;
  }
}

/** How much of the buffer could be filled: less than all of it only at the end of the file. */
export function readFully(fd: number, buffer: Buffer, at: number): number {
  let done = 0;
  while (done < buffer.length) {
    const read = readSync(fd, buffer, done, buffer.length - done, at + done);
    if (read === 0) break;
    done += read;
  }
  return done;
}
