/**
 * Writes a small file whole or not at all: a new file beside it, every byte out, fsync, size checked, renamed,
 * and the directory synced. A full disk never leaves a truncated file in the place of a good one.
 */
import {
  closeSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { EXIT, UserError } from '../protocol/exit-codes.ts';
import { reasonOf } from './data-dir.ts';
import { type Rights, windowsSecurity } from './windows-security.ts';

/**
 * Replaces `path` by `text` with this mode. Throws UserError 74 if it cannot, 78 where this account may not write; the
 * old file then stands as it was.
 */
export function writeWholeFile(path: string, text: string, mode: number): void {
  try {
    replace(path, text, mode);
  } catch (error) {
    const reason = reasonOf(error);
    throw notWritten(path, reason);
  }
}

function notWritten(path: string, reason: string): UserError {
  const said = `${path} cannot be written (${reason})`;
  if (isDirectory(path)) return new UserError(EXIT.disk, `${said}: it is a directory, move it away.`);
  if (NOT_OURS.has(reason))
    return new UserError(EXIT.config, `${said}: run this as the account of the agent.`);
  return new UserError(EXIT.disk, `${said}: ${REMEDIES[reason] ?? 'look at the health of its disk'}.`);
}

const NOT_OURS = new Set(['EACCES', 'EPERM']);
const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC: 'free some room on its disk',
  EDQUOT: 'free some of the room that this account may use',
  EROFS: 'make its disk writable again',
};

/** Looked at and not taken from the reason of the failure, which is another one on Windows. */
function isDirectory(path: string): boolean {
  try {
    return lstatSync(path).isDirectory();
  } catch {
    return false;
  }
}

function replace(path: string, text: string, mode: number): void {
  const temporary = `${path}.${process.pid}.tmp`;
  rmSync(temporary, { force: true });
  const bytes = Buffer.from(text);
  const fd = openSync(temporary, 'wx', mode);
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
    if (process.platform === 'win32') windowsSecurity().setRights(temporary, rightsOf(mode));
    else fchmodSync(fd, mode);
    fsyncSync(fd);
    if (fstatSync(fd).size !== bytes.length) throw new Error('the disk took only a part of it');
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
  syncDirectory(dirname(path));
}

/** Windows has no modes: what others may is to read, or nothing. */
function rightsOf(mode: number): Rights {
  return (mode & 0o007) === 0o004 ? 'shared' : 'private';
}

/** Makes a rename durable; Windows has no such call and needs none. */
function syncDirectory(dir: string): void {
  if (process.platform === 'win32') return;
  const fd = openSync(dir, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
