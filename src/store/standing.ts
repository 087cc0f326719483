/**
 * How the database stands, as it is noted beside it in the high-water file: what is known to be on the disk, and the
 * main file as the last checkpoint left it, so that the next start can tell what it has to look at.
 */
import type { Position } from '../protocol/position.ts';
import { type Connection, isRefused } from './connection.ts';
import { type FileMark, fileMark, type StorePaths } from './files.ts';
import { type HighWater, HighWaterFile } from './high-water.ts';
import type { Prepared } from './prepare.ts';
import { toSeq } from './schema.ts';
import type { Timeline } from './timeline.ts';

export interface StandingOptions {
  readonly paths: StorePaths;
  readonly bootId: string;
  readonly timeline: Timeline;
  readonly prepared: Prepared;
}

export class Standing {
  readonly file: HighWaterFile;
  generation = 0;
  /** What the running fsync covers. */
  covering: Position;
  readonly #options: StandingOptions;
  readonly #db: Connection;
  /** The main file as the last checkpoint left it; null: it is not known, or just being changed. */
  #mark: Prepared['mark'];
  #waiting: string | null = null;

  constructor(options: StandingOptions) {
    const { paths, prepared, timeline } = options;
    this.#options = options;
    this.#db = prepared.db;
    this.#mark = prepared.mark;
    this.covering = timeline.latest();
    this.file = new HighWaterFile(paths.highWater, prepared.sealer);
  }

  /** A checkpoint is worth it for the mark alone; a damaged file never gets one. */
  get wantsMark(): boolean {
    return this.#mark === null && !this.#db.damaged;
  }

  /** What `covering` says is on the disk; `settled`: nothing was committed since. */
  synced(settled: boolean): void {
    const wal = settled ? fileMark(this.#options.paths.wal) : null;
    this.file.write(this.#now({ wal }), settled);
  }

  /** The end of a run: `clean`: all of it could be written, to a whole database; `lost`: events that could not. */
  async forGood(clean: boolean, lost: number): Promise<void> {
    // SQLite may remove the log when the process ends: what lies in its place then is of this mark, or somebody else's.
    const wal = clean ? fileMark(this.#options.paths.wal) : null;
    this.#waiting = null;
    this.file.write(this.#now({ clean, lost, wal }), clean);
    await this.file.sync();
  }

  /**
   * Events begin to wait in memory, and this is the last epoch; null: none waits any more. Of a kill there is no other
   * trace of them. Not synced: after a power loss nobody takes what is there for all there was anyway.
   */
  eventsWait(epoch: string | null): void {
    this.#waiting = epoch;
    const { last } = this.file;
    try {
      if (last) this.file.write({ ...last, waiting: epoch }, false);
    } catch (error) {
      if (!isRefused(error)) throw error;
    }
  }

  /** All events up to `upTo` are in the main file; null: nobody can say. */
  checkpointed(upTo: Position | null): void {
    const file = upTo && fileMark(this.#options.paths.db);
    const ordinal = upTo && this.#options.timeline.span(upTo.epoch)?.ordinal;
    const known = upTo && file && ordinal && !this.#db.damaged;
    this.#mark = known ? { ...file, seq: toSeq(ordinal, upTo.offset) } : null;
  }

  /** From here on the main file is not as the last mark says. */
  mainFileChanges(): void {
    this.#mark = null;
    this.forgetMarks();
  }

  forgetMarks(): void {
    const { last } = this.file;
    const { damaged } = this.#db;
    if (last) this.file.write({ ...last, db: null, wal: null, damaged }, false);
  }

  #now(of: { wal?: FileMark | null; clean?: boolean; lost?: number }): HighWater {
    const { timeline, bootId } = this.#options;
    const { epoch, offset } = this.covering;
    return {
      generation: this.generation,
      ordinal: timeline.span(epoch)?.ordinal ?? 0,
      epoch,
      offset,
      bootId,
      clean: of.clean ?? false,
      db: this.#mark,
      wal: of.wal ?? null,
      damaged: this.#db.damaged,
      lost: of.lost ?? 0,
      waiting: this.#waiting,
    };
  }
}
