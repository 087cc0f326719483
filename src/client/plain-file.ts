/** Reads a file by its name, if it is one: the opening of a named pipe would wait for somebody to write, for ever. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** Its text. Rejects as the system does, and for whatever is not a regular file. */
export async function readPlainFile(path: string): Promise<string> {
  // Windows has no such flag.
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    if (!(await handle.stat()).isFile()) throw new Error(`${path} is not a regular file`);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}
