/**
 * One agent per data directory: a database of its own, held by BEGIN EXCLUSIVE. The system frees the lock when the
 * process goes, by kill -9 too, so that there is no stale lock file to guess about.
 */
import { rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { EXIT, UserError } from '../protocol/exit-codes.ts';
import { saidBy } from './connection.ts';
import { createPrivate, refuseClosed } from './files.ts';

/** SQLite opens no path of more than 512 bytes, and what a rebuild makes has 30 and a `-journal` behind the directory's. */
const LONGEST_DIR_BYTES = 470;

/** Takes the data directory, or throws `UserError(EXIT.inUse)` when another agent has it. Returns its release. */
export function lockDataDir(dir: string): () => void {
  const length = Buffer.byteLength(dir);
  if (length > LONGEST_DIR_BYTES) {
    const said = `The path of the data directory ${dir} is too long for its database (${length} bytes)`;
    throw new UserError(EXIT.config, `${said}: name one of at most ${LONGEST_DIR_BYTES} with --data-dir.`);
  }
  const path = join(dir, 'lock.db');
  let db: Database.Database;
  try {
    createPrivate(path);
    refuseClosed(path);
    db = hold(path);
  } catch (error) {
    if (error instanceof UserError) throw error;
    if (isTaken(error)) {
      if (hasLocks(dir)) throw new UserError(EXIT.inUse, `${dir} is in use by another agent`);
      throw new UserError(
        EXIT.disk,
        `${path} cannot be locked: its file system has no locks; name a place on a local disk with --data-dir.`,
      );
    }
    throw new UserError(EXIT.disk, `${path} cannot be locked: ${saidBy(error)}`);
  }
  let held = true;
  return () => {
    if (!held) return;
    held = false;
    db.exec('ROLLBACK');
    db.close();
  };
}

function isTaken(error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(String((error as { code?: unknown }).code));
}

/**
 * SQLite calls a lock that the file system does not know (NFS without its lock service) taken, one that nobody else can
 * have too. Those of Windows all know them, and there a file that SQLite still has open cannot be removed.
 */
function hasLocks(dir: string): boolean {
  if (process.platform === 'win32') return true;
  const probe = join(dir, `lock.db.${process.pid}`);
  try {
    createPrivate(probe);
    begin(probe).close();
    return true;
  } catch (error) {
    return !isTaken(error);
  } finally {
    rmSync(probe, { force: true });
  }
}

/**
 * It holds nothing, so one that was written over (contract D11) is emptied in place. That takes it from nobody: while
 * another agent has it, it is busy before it is read.
 */
function hold(path: string): Database.Database {
  try {
    return begin(path);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'SQLITE_NOTADB') throw error;
    truncateSync(path, 0);
    return begin(path);
  }
}

function begin(path: string): Database.Database {
  const db = new Database(path);
  try {
    // Without it SQLite writes the head of a journal, which a full disk has no room for (contract D10).
    db.prepare('PRAGMA journal_mode=MEMORY').all([]);
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    throw error;
  }
  return db;
}
