/**
 * Reads a file that a user names: whole, and only if it is one. A named pipe may never end, and a device fills the
 * memory. A pipe that the shell hands over (`/dev/stdin`, `<(…)`) is read too, up to the same size.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, readSync } from 'node:fs';

/** Many times what the largest configuration takes. */
const MAX_BYTES = 1_048_576;
/** Another encoding must not pass: an account whose name was garbled would be a child that nothing limits. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const HANDED_OVER = /^\/(dev\/stdin|dev\/fd\/\d+|proc\/self\/fd\/\d+)$/;

/** Its text. Throws with a reason that fits into a sentence, or as the system does. */
export function readSmallFile(path: string): string {
  const handedOver = HANDED_OVER.test(path);
  // Without O_NONBLOCK the opening of a named pipe waits for somebody to write. Windows has no such flag.
  const fd = openSync(path, constants.O_RDONLY | (handedOver ? 0 : (constants.O_NONBLOCK ?? 0)));
  try {
    const stat = fstatSync(fd);
    if (stat.size > MAX_BYTES) throw new Error('it is larger than 1 MiB');
    if (stat.isFile()) return decoded(readFileSync(fd));
    if (!handedOver) throw new Error('it is not a regular file');
    return decoded(readToEnd(fd));
  } finally {
    closeSync(fd);
  }
}

function readToEnd(fd: number): Uint8Array {
  const bytes = Buffer.alloc(MAX_BYTES + 1);
  for (let length = 0; ; ) {
    const more = readSync(fd, bytes, length, bytes.length - length, null);
    if (more === 0) return bytes.subarray(0, length);
    length += more;
    if (length > MAX_BYTES) throw new Error('it is larger than 1 MiB');
  }
}

function decoded(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw new Error('it is not UTF-8: save it anew as UTF-8');
  }
}
