/**
 * The tables `epochs` and `holes`: what the timeline is built from at the start. Names and ordinals of all epochs are
 * kept a second time in `meta`, on another page, since an event whose epoch has lost its name could not be told.
 */
import { randomBytes } from 'node:crypto';
import type { Connection } from './connection.ts';
import { type Row, SealedTable, selectRows } from './rows.ts';
import { EPOCHS, HOLES, META, seqOffset, toSeq } from './schema.ts';
import type { Sealer } from './seal.ts';
import type { EpochName } from './span-builder.ts';
import type { Hole, Span } from './timeline.ts';

/** Epochs remembered after their last event went; a client that slept through more is told an unknown loss. */
export const MAX_EPOCHS = 1_000;

const EPOCHS_COPY = 'epochs';

/** The name of an epoch: short, never given twice. */
export function newEpochName(): string {
  return randomBytes(9).toString('base64url');
}

export interface EpochTable {
  load(): Span[];
  put(span: Span): void;
  remove(span: Span): void;
  putHole(span: Span, hole: Hole): void;
}

export function openEpochs(db: Connection, sealer: Sealer): EpochTable {
  const epochs = new SealedTable(db, EPOCHS, sealer);
  const holes = new SealedTable(db, HOLES, sealer);
  const meta = new SealedTable(db, META, sealer);
  const all = selectRows(db, EPOCHS, 'ORDER BY ordinal');
  const someHoles = selectRows(db, HOLES, 'WHERE first_seq BETWEEN ? AND ? ORDER BY first_seq');
  const lastEvent = db.prepare<Row>('SELECT max(seq) AS seq FROM events WHERE seq BETWEEN ? AND ?');
  const dropHoles = db.prepare<never>('DELETE FROM holes WHERE first_seq BETWEEN ? AND ? AND last_seq <= ?');

  function loadOne(row: Row): Span {
    const ordinal = Number(row.ordinal);
    const range = [toSeq(ordinal, 0), toSeq(ordinal + 1, 0) - 1];
    const found = someHoles.all(range).map((hole) => ({
      first: seqOffset(Number(hole.first_seq)),
      last: seqOffset(Number(hole.last_seq)),
    }));
    const prunedTo = Number(row.pruned_to);
    const lastSeq = lastEvent.get(range)?.seq ?? null;
    const last = lastSeq === null ? 0 : seqOffset(Number(lastSeq));
    return {
      ordinal,
      epoch: String(row.epoch),
      reason: String(row.reason),
      lost: row.lost === null || row.lost === undefined ? null : Number(row.lost),
      prunedTo,
      last: Math.max(prunedTo, last, ...found.map((h) => h.last)),
      holes: found,
    };
  }

  function copyNames(): void {
    const names = all.all([]).map((row) => [row.ordinal, row.epoch, row.reason]);
    meta.put([EPOCHS_COPY, JSON.stringify(names)]);
  }

  return {
    load: () => all.all([]).map(loadOne),
    put({ ordinal, epoch, reason, lost, prunedTo }) {
      const isNew = epochs.get([ordinal]) === undefined;
      epochs.put([ordinal, epoch, reason, lost, prunedTo]);
      if (isNew) copyNames();
      else dropHoles.run([toSeq(ordinal, 0), toSeq(ordinal + 1, 0) - 1, toSeq(ordinal, prunedTo)]);
    },
    remove({ ordinal }) {
      epochs.remove([ordinal]);
      copyNames();
    },
    putHole({ ordinal }, { first, last }) {
      dropHoles.run([toSeq(ordinal, first), toSeq(ordinal, last), toSeq(ordinal, last)]);
      holes.put([toSeq(ordinal, first), toSeq(ordinal, last)]);
    },
  };
}

/** What the copy in `meta` says; for a database whose epochs are damaged. */
export function epochNames(metaValue: string): EpochName[] {
  const names = JSON.parse(metaValue) as [number, string, string][];
  return names.map(([ordinal, epoch, reason]) => ({ ordinal, epoch, reason }));
}

export const isEpochsCopy = (row: Row): boolean => row.key === EPOCHS_COPY;
