/**
 * Whether the database's files still have their names: whoever removes or replaces them leaves the open ones to this
 * process alone, which writes on without an error, to what is gone with its end.
 */
import { type FileMark, fileMark, type StorePaths } from './files.ts';

/** `replaced()`: the reason, or null. The files that are there now are the ones to compare with. */
export function watchOpenFiles({ db, wal }: StorePaths): { replaced(): string | null } {
  const files = [db, wal].map((path) => [path, markOf(path)] as const);
  return {
    replaced() {
      const gone = files.find(([path, mark]) => {
        const now = markOf(path);
        return mark && now !== 'unknown' && mark !== 'unknown' && now?.ino !== mark.ino;
      });
      return gone
        ? `${gone[0]} was removed or replaced while the agent runs: what it keeps is lost with its end.`
        : null;
    },
  };
}

function markOf(path: string): FileMark | 'unknown' | null {
  try {
    return fileMark(path);
  } catch {
    return 'unknown';
  }
}
