/**
 * Makes a new database of what is whole in a damaged one (contract D11), with a new epoch, and puts the old one aside.
 * The new file is complete before anything is renamed: a crash in between starts over or finishes.
 */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { basename } from 'node:path';
import { carve } from './carve.ts';
import { type Connection, connect, REBUILDING } from './connection.ts';
import { epochNames, isEpochsCopy, newEpochName, openEpochs } from './epochs.ts';
import { asideName, createPrivate, type StorePaths, setAside, syncDir } from './files.ts';
import { type Finding, type FindingFacts, findingsOf } from './findings.ts';
import { clearSettled, type FoundHighWater } from './high-water.ts';
import { type Damage, GENERATION } from './inspect.ts';
import { isWhole, type Row, SealedTable } from './rows.ts';
import { openSalvage, type Salvage } from './salvage.ts';
import { createSchema, EPOCHS, EVENTS, HOLES, META, TABLES, type Table, USAGE } from './schema.ts';
import type { Sealer } from './seal.ts';
import { SpanBuilder } from './span-builder.ts';

/** Where findings stand in `meta` until they are told. */
export const FINDINGS = 'findings';

export interface RebuildOptions {
  readonly paths: StorePaths;
  readonly sealer: Sealer;
  /** false: the key that made the seals is gone, so every row that can be read counts as whole. */
  readonly verify: boolean;
  readonly highWater: FoundHighWater | null;
  /** The high-water file is exact: no offset was given after it. */
  readonly exact: boolean;
  readonly damage: readonly Damage[];
  readonly wallMs: number;
}

/** Afterwards `paths.db` is a whole database again, with its findings in it. */
export function rebuild(options: RebuildOptions): void {
  const { paths, wallMs } = options;
  const building = `${paths.db}.rebuilding`;
  for (const path of [building, `${building}-journal`]) rmSync(path, { force: true });
  createPrivate(building);
  const db = connect(building, REBUILDING);
  createSchema(db);
  const salvage = openSalvage(paths);
  db.exec('BEGIN IMMEDIATE');
  fill(db, options, salvage);
  db.exec('COMMIT');
  db.close();
  salvage?.remove();
  renameSync(building, `${paths.db}.rebuilt`);
  finishRebuild(paths, wallMs);
}

/** Puts a rebuilt database in its place, if there is one. */
export function finishRebuild(paths: StorePaths, wallMs: number): void {
  const rebuilt = `${paths.db}.rebuilt`;
  if (!existsSync(rebuilt)) return;
  clearSettled(paths.highWater);
  setAside(paths, wallMs);
  renameSync(rebuilt, paths.db);
  syncDir(paths.dir);
}

function fill(db: Connection, options: RebuildOptions, salvage: Salvage | null): void {
  const { sealer, highWater, damage, exact, paths, wallMs } = options;
  const builder = new SpanBuilder();
  const saved = copyRows(db, options, salvage, builder);
  if (options.verify) addCarved(db, options, builder, saved);
  if (highWater) builder.reach(highWater);

  const ordinal = Math.max(0, ...builder.spans.map((span) => span.ordinal)) + 1;
  const border = exact ? 0 : null;
  const next = {
    ordinal,
    epoch: newEpochName(),
    reason: 'damage',
    lost: border,
    prunedTo: 0,
    last: 0,
    holes: [],
  };
  const epochs = openEpochs(db, sealer);
  for (const span of [...builder.spans, next]) {
    epochs.put(span);
    for (const hole of span.holes) epochs.putHole(span, hole);
  }
  const facts: FindingFacts = {
    damage,
    savedEvents: saved.events,
    savedRecords: saved.records,
    brokenRows: saved.broken,
    lostAtLeast: builder.lost + (highWater?.lost ?? 0),
    lost: exact ? builder.lost : null,
    keptAside: existsSync(paths.db) || existsSync(paths.wal) ? basename(asideName(paths, wallMs)) : null,
  };
  const meta = new SealedTable(db, META, sealer);
  meta.put([FINDINGS, JSON.stringify(findingsOf(facts) satisfies Finding[])]);
  meta.put([GENERATION, Math.max(saved.generation, highWater?.generation ?? 0) + 1]);
}

interface Saved {
  events: number;
  records: number;
  broken: number;
  generation: number;
}

/** All whole rows but those of the log's shape, which goes to the builder. */
function copyRows(
  db: Connection,
  { sealer, verify }: RebuildOptions,
  salvage: Salvage | null,
  builder: SpanBuilder,
): Saved {
  const saved: Saved = { events: 0, records: 0, broken: 0, generation: 0 };
  for (const table of salvage ? TABLES : []) {
    const target = new SealedTable(db, table, sealer);
    for (const row of salvage?.rows(table) ?? []) {
      if (verify && !isWhole(table, row, sealer)) saved.broken++;
      else if (table === EVENTS && !builder.event(Number(row.seq))) saved.broken++;
      else if (isOfTheShape(table, row, builder)) continue;
      else {
        if (table === META && row.key === GENERATION) saved.generation = Number(row.value);
        target.put(table.columns.map((c) => row[c] ?? null));
        if (table === EVENTS) saved.events++;
        else saved.records++;
      }
    }
  }
  return saved;
}

/** Events and usage that the tree no longer leads to. Neither has a newer copy that would be wronged by an older one. */
function addCarved(
  db: Connection,
  { paths, sealer }: RebuildOptions,
  builder: SpanBuilder,
  saved: Saved,
): void {
  const events = new SealedTable(db, EVENTS, sealer);
  const usage = new SealedTable(db, USAGE, sealer);
  const added: number[] = [];
  // A log holds most rows many times over, so each is put at once and none is kept in memory.
  for (const { table, row } of carve(paths, [EVENTS, USAGE], sealer)) {
    const values = table.columns.map((c) => row[c] ?? null);
    if (table === EVENTS) {
      if (events.get([Number(row.seq)]) !== undefined) continue;
      events.put(values);
      added.push(Number(row.seq));
      continue;
    }
    const known = usage.get(values.slice(0, USAGE.keyLength));
    if (known !== undefined && Number(known.used_ms) >= Number(row.used_ms)) continue;
    usage.put(values);
    if (known === undefined) saved.records++;
  }
  for (const seq of added.sort((a, b) => a - b)) {
    if (builder.event(seq)) saved.events++;
    else events.remove([seq]);
  }
}

/** Whether the row is about epochs and holes: then the builder has it. */
function isOfTheShape(table: Table, row: Row, builder: SpanBuilder): boolean {
  if (table === META && isEpochsCopy(row)) {
    for (const name of epochNames(String(row.value))) builder.name(name);
  } else if (table === EPOCHS) {
    const lost = row.lost === null || row.lost === undefined ? null : Number(row.lost);
    builder.epoch({
      ordinal: Number(row.ordinal),
      epoch: String(row.epoch),
      reason: String(row.reason),
      lost,
      prunedTo: Number(row.pruned_to),
    });
  } else if (table === HOLES) builder.hole(Number(row.first_seq), Number(row.last_seq));
  else return false;
  return true;
}
