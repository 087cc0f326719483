/** Files of /proc, whose size nobody knows before: read whole, up to a bound, into one buffer for all. */
import { closeSync, openSync, readSync } from 'node:fs';

/** Reads a file up to `maxBytes`; what is beyond is cut. Throws what the system throws. */
export type BoundedRead = (path: string, encoding: 'latin1' | 'utf8') => string;

export function boundedReader(maxBytes: number): BoundedRead {
  const buffer = Buffer.allocUnsafe(maxBytes);
  return (path, encoding) => {
    const fd = openSync(path, 'r');
    try {
      let length = 0;
      for (let count = -1; count !== 0 && length < maxBytes; length += count) {
        count = readSync(fd, buffer, length, maxBytes - length, null);
      }
      return buffer.toString(encoding, 0, length);
    } finally {
      closeSync(fd);
    }
  };
}
