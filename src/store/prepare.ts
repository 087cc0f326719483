/** The start: finds the database, or makes it, or makes a new one of what is whole; gives back one that can be used. */
import { rmSync } from 'node:fs';
import type { Clock } from '../protocol/ports.ts';
import { abandon, type Connection, connect, isRefused, RUNNING } from './connection.ts';
import { newEpochName, openEpochs } from './epochs.ts';
import { createPrivate, type FileMark, fileMark, type StorePaths, syncDir } from './files.ts';
import { type FoundHighWater, readHighWater } from './high-water.ts';
import { type Identity, newIdentity, readIdentity, writeIdentity } from './identity.ts';
import { type Damage, findFiles, inspect, trustedSeq, wasTouched } from './inspect.ts';
import { finishRebuild, rebuild } from './rebuild.ts';
import { createSchema } from './schema.ts';
import { createSealer, type Sealer } from './seal.ts';

export interface Prepared {
  readonly db: Connection;
  readonly identity: Identity;
  readonly sealer: Sealer;
  /** `new`: the first start here; `rebuilt`: damage was found, and its epoch has begun already. */
  readonly state: 'new' | 'whole' | 'rebuilt';
  /** The main file, and up to which seq it holds events that were looked at; null: not known. */
  readonly mark: (FileMark & { readonly seq: number }) | null;
  /** Events that the last run could not write before its end (null: not known), and the epoch that was the last then. */
  readonly unwritten: { readonly epoch: string; readonly lost: number | null } | null;
}

/** `suspect`: it was found damaged in use, whatever a check of it says. */
export function prepare(paths: StorePaths, clock: Clock, bootId: string, suspect = false): Prepared {
  finishRebuild(paths, clock.wall());
  const foundIdentity = readIdentity(paths.identity);
  const identity = typeof foundIdentity === 'string' ? newIdentity() : foundIdentity;
  const sealer = createSealer(identity.key);
  const foundHighWater = readHighWater(paths.highWater, sealer);
  const highWater = typeof foundHighWater === 'string' ? null : foundHighWater;
  const files = findFiles(paths);
  const hasDb = files.db !== null && files.db.size !== '0';

  const neverStood =
    typeof foundIdentity === 'string' ? foundIdentity === 'none' && !hasDb : !identity.established;
  // A first start that a power loss has ended may leave the name of the high-water file without its content.
  if (neverStood && typeof foundHighWater === 'string') {
    // The identity comes first: once it is established a missing database means that it was deleted.
    writeIdentity(paths.identity, identity);
    for (const path of [paths.db, paths.wal, paths.shm]) rmSync(path, { force: true });
    const db = create(paths, sealer);
    const file = fileMark(paths.db);
    return { db, identity, sealer, state: 'new', mark: file && { ...file, seq: 0 }, unwritten: null };
  }

  const damage: Damage[] = [];
  const verify = typeof foundIdentity !== 'string';
  if (!hasDb) damage.push('deleted');
  if (!verify) damage.push('key_lost');
  else if (!highWater) damage.push('high_water_lost');
  if (hasDb && highWater && wasTouched(files, highWater, bootId)) damage.push('touched');
  if (hasDb && (suspect || highWater?.damaged)) damage.push('unreadable');

  const trusted = highWater && damage.length === 0 ? trustedSeq(files, highWater) : 0;
  const db = hasDb ? tryToOpen(paths, verify ? sealer : null, highWater, trusted, damage) : null;
  if (db && damage.length === 0) {
    const mark = trusted > 0 && files.db ? { ...files.db, seq: trusted } : null;
    return { db, identity, sealer, state: 'whole', mark, unwritten: unwrittenOf(highWater) };
  }

  if (db) abandon(db);
  const exact = isExact(highWater, bootId);
  const found = [...new Set(damage)];
  rebuild({ paths, sealer, verify, highWater, exact, damage: found, wallMs: clock.wall() });
  return { db: connect(paths.db, RUNNING), identity, sealer, state: 'rebuilt', mark: null, unwritten: null };
}

/** A run that was killed while events waited has not counted them. */
function unwrittenOf(highWater: FoundHighWater | null): Prepared['unwritten'] {
  return highWater?.waiting ? { epoch: highWater.waiting, lost: null } : highWater;
}

/** Whether no offset was given after the high-water file was last written. */
function isExact(highWater: FoundHighWater | null, bootId: string): boolean {
  return highWater?.settled === true && (highWater.clean || highWater.bootId === bootId);
}

function create(paths: StorePaths, sealer: Sealer): Connection {
  createPrivate(paths.db);
  const db = connect(paths.db, RUNNING);
  createSchema(db);
  const first = {
    ordinal: 1,
    epoch: newEpochName(),
    reason: 'start',
    lost: 0,
    prunedTo: 0,
    last: 0,
    holes: [],
  };
  openEpochs(db, sealer).put(first);
  syncDir(paths.dir);
  return db;
}

/** The connection if it can be had at all; what is wrong with it goes to `damage`. */
function tryToOpen(
  paths: StorePaths,
  sealer: Sealer | null,
  highWater: FoundHighWater | null,
  trusted: number,
  damage: Damage[],
): Connection | null {
  let db: Connection;
  try {
    db = connect(paths.db, RUNNING);
  } catch (error) {
    if (isRefused(error)) throw error;
    damage.push('unreadable');
    return null;
  }
  if (sealer) damage.push(...inspect(db, sealer, highWater, trusted));
  return db;
}
