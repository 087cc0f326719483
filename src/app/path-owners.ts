/**
 * Whose a path is: whoever may rename something in one of the folders above it can put another in its place. Not on
 * Windows, where a folder's rights say that otherwise.
 */
import { lstatSync, realpathSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';

export interface Foreign {
  readonly path: string;
  /** The account that it belongs to; null: others may write in it. */
  readonly uid: number | null;
}

/** From `path` itself upwards, the first that is of none of these accounts or that others may write in; null: none is. */
export function firstForeign(path: string, trusted: readonly number[]): Foreign | null {
  for (let at = path; ; at = dirname(at)) {
    const stat = lstatSync(at);
    if (!trusted.includes(stat.uid)) return { path: at, uid: stat.uid };
    // The rights of a link say nothing; those of what it leads to do.
    if (stat.isSymbolicLink()) {
      const behind = firstForeign(realpathSync(at), trusted);
      if (behind) return behind;
    } else if (othersReplaceIn(stat)) return { path: at, uid: null };
    if (at === dirname(at)) return null;
  }
}

/** In a sticky folder others may write, but not replace what is not theirs. */
function othersReplaceIn(stat: Stats): boolean {
  const sticky = (stat.mode & 0o1000) !== 0;
  return !sticky && ((stat.mode & 0o002) !== 0 || strangersMayWrite(stat));
}

/** Where each account has a group of its own, a file may be its group's to write (umask 002): nobody else is in it. */
export function strangersMayWrite({ mode, uid, gid }: Stats): boolean {
  return (mode & 0o020) !== 0 && gid !== uid && gid !== 0;
}

export interface Replaceable {
  readonly said: string;
  readonly remedy: string;
}

/** How somebody beside root and its owner could replace the data directory as a whole; null: in no way that is seen. */
export function replaceable(dataDir: string): Replaceable | null {
  if (process.platform === 'win32') return null;
  const foreign = foreignAbove(dataDir);
  if (foreign === null) return null;
  const { path, uid } = foreign;
  const who =
    uid === null ? `others may write in ${path}` : `${path} belongs to another account (uid ${uid})`;
  return {
    said: `${who}, so the data directory ${dataDir} could be replaced as a whole`,
    remedy: `${uid === null ? `run "chmod go-w ${path}" or ` : ''}name a place below folders of root with --data-dir`,
  };
}

function foreignAbove(dir: string): Foreign | null {
  try {
    return firstForeign(dirname(dir), [0, lstatSync(dir).uid]);
  } catch {
    // It is not there yet, or above it is what this account may not look at.
    return null;
  }
}
