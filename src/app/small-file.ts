/**
 * Reads a file that a user names: whole, and only if it is one. A named pipe may never end, and a device fills the
 * memory. A pipe that the shell hands over (`/dev/stdin`, `<(…)`) is read too, up to the same size.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, readSync } from 'node:fs';

/** Many times what the largest configuration takes. */
const MAX_BYTES = 1_048_576;
const HANDED_OVER = /^\/(dev\/stdin|dev\/fd\/\d+|proc\/self\/fd\/\d+)$/;

/** Its text. Throws with a reason that fits into a sentence, or as the system does. */
export function readSmallFile(path: string): string {
  const handedOver = HANDED_OVER.test(path);
  // Without O_NONBLOCK the opening of a named pipe waits for somebody to write. Windows has no such flag.
  const fd = openSync(path, constants.O_RDONLY | (handedOver ? 0 : (constants.O_NONBLOCK ?? 0)));
  try {
    const stat = fstatSync(fd);
    if (stat.size > MAX_BYTES) throw new Error('it is larger than 1 MiB');
    if (stat.isFile()) return readFileSync(fd, 'utf8');
    if (!handedOver) throw new Error('it is not a regular file');
    return readToEnd(fd);
  } finally {
    closeSync(fd);
  }
}

function readToEnd(fd: number): string {
  const bytes = Buffer.alloc(MAX_BYTES + 1);
  for (let length = 0; ; ) {
    const more = readSync(fd, bytes, length, bytes.length - length, null);
    if (more === 0) return bytes.toString('utf8', 0, length);
    length += more;
    if (length > MAX_BYTES) throw new Error('it is larger than 1 MiB');
  }
}
