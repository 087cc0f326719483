/**
 * The path of an executable in a folder so deep that the link /proc/PID/exe cannot name it (4,095 bytes, ENAMETOOLONG). The
 * map of a process's memory names the same file in full, where its code begins (proc(5)).
 */
import { boundedReader } from '../../runtime/bounded-read.ts';

/** The code of a program stands at the head of its map; a path beyond it would need thousands of folders. */
const MAP_MAX_BYTES = 1_048_576;
/** What is kept of the path: its end, which has the name. */
const PATH_MAX = 4_095;

/** `code`: where its code begins (the first part of `ProcStat.execution`). null: the map does not say. Throws what the system throws. */
export function longPath(folder: string, code: number): string | null {
  const lines = boundedReader(MAP_MAX_BYTES)(`${folder}/maps`, 'utf8').split('\n');
  // The last one is cut off, or empty.
  for (const line of lines.slice(0, -1)) {
    const [, from = '', to = '', path] = /^([0-9a-f]+)-([0-9a-f]+) (?:\S+ +){4}(\/.*)$/.exec(line) ?? [];
    if (path && Number.parseInt(from, 16) <= code && code < Number.parseInt(to, 16))
      return path.slice(-PATH_MAX);
  }
  return null;
}
