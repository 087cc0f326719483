/** The door of the store: opens it, or says in one sentence why it cannot be opened. */
import { statfsSync } from 'node:fs';
import { EXIT, UserError } from '../protocol/exit-codes.ts';
import type { Clock, Store } from '../protocol/ports.ts';
import { abandon, isDamageError, isHeld, isRefused, lacksSharing, saidBy } from './connection.ts';
import { refuseClosed, type StorePaths, storePaths } from './files.ts';
import { prepare } from './prepare.ts';
import { giveUpReserve } from './reserve.ts';
import { SqliteStore } from './store.ts';

export interface StoreOptions {
  /** The data directory; it exists and is ours. */
  readonly dir: string;
  readonly clock: Clock;
  /** Changes with each boot of the machine (contract E5). */
  readonly bootId: string;
  /** Room kept for a full disk (contract D10), bytes: in the database, in its log, and in a file; left out: by the disk's size. */
  readonly reserveBytes?: number;
}

const RESERVE_BYTES = 4 * 1024 * 1024;
/** With less no new log can be begun. */
const LEAST_FREE_BYTES = 64 * 1024;

/** Opens `<dir>/playwarden.db`; throws `UserError` (74, 78) when the disk refuses, or the rights of the files do. */
export function openStore(options: StoreOptions): Store {
  const paths = storePaths(options.dir);
  refuseClosed(paths.identity, paths.highWater, paths.db, paths.wal, paths.shm);
  try {
    return open(paths, options);
  } catch (error) {
    return openWithoutReserve(paths, options, error);
  }
}

/** With a full disk the files that SQLite makes at each start find room where the reserve was. */
function openWithoutReserve(paths: StorePaths, options: StoreOptions, refusal: unknown): Store {
  try {
    if (!isRefused(refusal) || isHeld(refusal) || !giveUpReserve(paths.reserve)) throw refusal;
    return open(paths, options);
  } catch (error) {
    throw asUserError(error, paths);
  }
}

function open(paths: StorePaths, options: StoreOptions): Store {
  const { clock, bootId } = options;
  const prepared = prepare(paths, clock, bootId);
  const reserveBytes = options.reserveBytes ?? reserveOn(paths.dir);
  const wiring = { paths, clock, bootId, reserveBytes };
  try {
    return new SqliteStore(prepared, wiring);
  } catch (error) {
    if (!isDamageError(error)) throw error;
    // What no check has seen shows in use: it is rebuilt at once, and not at each start looked at anew.
    abandon(prepared.db);
    return new SqliteStore(prepare(paths, clock, bootId, true), wiring);
  }
}

/** The reserve is kept three times: on a small disk it is less, and not nothing. */
function reserveOn(dir: string): number {
  const { blocks, bsize } = statfsSync(dir);
  const whole = blocks * bsize;
  return whole > 0 ? Math.min(RESERVE_BYTES, Math.floor(whole / 16)) : RESERVE_BYTES;
}

function asUserError(error: unknown, paths: StorePaths): unknown {
  if (error instanceof UserError || !(isRefused(error) || isDamageError(error))) return error;
  if (isHeld(error)) return new UserError(EXIT.disk, `the database ${paths.db} is held by another program`);
  const said = `the database ${paths.db} cannot be used: ${saidBy(error)}`;
  return new UserError(EXIT.disk, `${said}${remedyOf(error, paths.dir)}`);
}

function remedyOf(error: unknown, dir: string): string {
  if (isFull(dir)) return '; the disk is full, make room on it';
  if (!lacksSharing(error)) return '';
  return '; its file system has no shared memory or no locks, name a place on a local disk with --data-dir';
}

/** Of a full disk SQLite says no more than "disk I/O error" when it is its log that finds no room. */
function isFull(dir: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dir);
    return bavail * bsize < LEAST_FREE_BYTES;
  } catch {
    return false;
  }
}
