/** Names of the store's files and the few file operations it needs. The main database is never opened here (see open.ts). */
import {
  accessSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { EXIT, UserError } from '../protocol/exit-codes.ts';

export interface StorePaths {
  readonly dir: string;
  readonly db: string;
  readonly wal: string;
  readonly shm: string;
  readonly identity: string;
  readonly highWater: string;
  readonly reserve: string;
}

export function storePaths(dir: string): StorePaths {
  const db = join(dir, 'playwarden.db');
  return {
    dir,
    db,
    wal: `${db}-wal`,
    shm: `${db}-shm`,
    identity: join(dir, 'store.key'),
    highWater: join(dir, 'high-water'),
    reserve: join(dir, 'disk-reserve'),
  };
}

/**
 * Makes an empty file for the owner only, unless it is there. It never opens a file that is: closing any descriptor
 * of a database drops this process's POSIX locks on it.
 */
export function createPrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/**
 * Throws `UserError(EXIT.config)` for a file that is there and that this account may not read and write: SQLite says
 * no more than that it cannot be opened, and that is no damage.
 */
export function refuseClosed(...paths: readonly string[]): void {
  const closed = paths.find(isClosed);
  if (closed === undefined) return;
  const uid = process.getuid?.();
  const mend = statSync(closed).uid === uid ? `chmod 600 ${closed}` : `chown ${uid} ${closed}`;
  throw new UserError(EXIT.config, `This account may not read and write ${closed}: run "${mend}".`);
}

function isClosed(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES';
  }
}

/** Writes a small file whole: beside it, synced, then renamed over it. */
export function writeWhole(path: string, content: string): void {
  const temporary = `${path}.new`;
  rmSync(temporary, { force: true });
  const bytes = Buffer.from(content);
  const fd = openSync(temporary, 'wx', 0o600);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
}

/** Makes new names in the directory survive a power loss. Windows has no such call and needs none. */
export function syncDir(dir: string): void {
  if (process.platform === 'win32') return;
  const fd = openSync(dir, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** What tells whether somebody else wrote a file: who it is, how long, and when it was last written (ns). */
export interface FileMark {
  readonly ino: string;
  readonly size: string;
  readonly mtime: string;
}

export function fileMark(path: string): FileMark | null {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat ? { ino: `${stat.ino}`, size: `${stat.size}`, mtime: `${stat.mtimeNs}` } : null;
}

export function sameMark(a: FileMark | null, b: FileMark | null): boolean {
  return a?.ino === b?.ino && a?.size === b?.size && a?.mtime === b?.mtime;
}

/** The name a damaged database is to get: `playwarden.db.corrupt-<time>`. */
export function asideName(paths: StorePaths, wallMs: number): string {
  const stamp = new Date(wallMs).toISOString().replaceAll(':', '-');
  const plain = `${paths.db}.corrupt-${stamp}`;
  let name = plain;
  for (let n = 2; existsSync(name) || existsSync(`${name}-wal`); n++) name = `${plain}.${n}`;
  return name;
}

/** Puts a damaged database and its log aside. What remembers where its pages are is of no use to anybody. */
export function setAside(paths: StorePaths, wallMs: number): void {
  const name = asideName(paths, wallMs);
  if (existsSync(paths.db)) renameSync(paths.db, name);
  if (existsSync(paths.wal)) renameSync(paths.wal, `${name}-wal`);
  rmSync(paths.shm, { force: true });
  syncDir(paths.dir);
}

/** Copies a file if it is there; true when it was. */
export function copyIfThere(from: string, to: string): boolean {
  if (!existsSync(from)) return false;
  copyFileSync(from, to);
  return true;
}
