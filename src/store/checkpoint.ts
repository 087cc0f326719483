/**
 * Moves the write-ahead log into the main file when the store has been idle for a second, or when the log has become
 * long. It runs on a second connection whose calls are carried out on libsql's own threads: with a slow disk a
 * checkpoint takes tens of ms, and the main thread has events to send. While the store runs well the main file changes only here.
 */
import { fdatasync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import AsyncDatabase from 'libsql/promise';
import type { Clock } from '../protocol/ports.ts';
import { isRefused } from './connection.ts';

export interface CheckpointOptions {
  readonly clock: Clock;
  readonly dbPath: string;
  /** Before the main file is written. */
  readonly starting: () => void;
  /** How long the log is now. */
  readonly walBytes: () => number;
  /** A checkpoint on the main connection, blocking; true when it took all of the log. */
  readonly finish: () => boolean;
  /** `complete`: everything that was committed when it started is in the main file. */
  readonly done: (complete: boolean) => void;
}

const IDLE_MS = 1_000;
/** Fewer writes than these are left in the log: a start reads them in no time, and an idle disk stays idle. */
const WORTH_WRITES = 400;
/**
 * So long it is moved even though writes go on: twice what SQLite cuts it to when it starts anew (connection.ts). It is
 * longer by what is written during one checkpoint, and while another program reads an old state of the database.
 */
export const LONG_LOG_BYTES = 32 * 1024 * 1024;
/** A log that could not be moved is tried again after so long, ms. */
const RETRY_MS = 5_000;
/** While writes go on each pass leaves less for the next; the last rest is taken with the writes standing still. */
const BUSY_PASSES = 3;

const dataOnDisk = promisify(fdatasync);

interface CheckpointRow {
  readonly busy: number;
  readonly log: number;
  readonly checkpointed: number;
}

/** Whether a checkpoint took all of the log. */
export function isComplete(row: unknown): boolean {
  const { busy, log, checkpointed } = (row ?? {}) as Partial<CheckpointRow>;
  return busy === 0 && log !== undefined && log === checkpointed;
}

export class Checkpointer {
  readonly #options: CheckpointOptions;
  #db: InstanceType<typeof AsyncDatabase> | null = null;
  /** Rows that are in the log only, about. */
  #writes = 0;
  #retryAt = 0;
  #fd: number | null = null;
  #idle: (() => void) | null = null;
  #running: Promise<boolean> | null = null;
  #stopped = false;

  constructor(options: CheckpointOptions) {
    this.#options = options;
  }

  wrote(rows: number): void {
    this.#writes += rows;
    this.#cancelIdle();
  }

  /** After each fsync of the log. */
  grown(): void {
    const { clock, walBytes } = this.#options;
    if (walBytes() >= LONG_LOG_BYTES && clock.monotonic() >= this.#retryAt) void this.run();
  }

  /** Everything is on the disk and nothing is being written. */
  settled(force: boolean): void {
    this.#cancelIdle();
    if (this.#stopped || (this.#writes < WORTH_WRITES && !force)) return;
    this.#idle = this.#options.clock.after(IDLE_MS, () => void this.run());
  }

  /**
   * One checkpoint; joins the running one. True: all that was committed when it started is in the main file. Never
   * rejects: what failed is done another time.
   */
  run(): Promise<boolean> {
    this.#cancelIdle();
    if (this.#stopped) return Promise.resolve(false);
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /**
   * One pass at the end of a run, after `stop`, when nothing is written any more; false: the disk refused. Damage throws.
   */
  async last(): Promise<boolean> {
    try {
      return await this.#pass();
    } catch (error) {
      if (!isRefused(error)) throw error;
      return false;
    }
  }

  /**
   * After a failed fsync of the log: settles when all that was committed before the call is in the main file, and
   * rejects when it is not. The kernel reports a failed write once, so that the next fsync may succeed without it.
   */
  async repair(): Promise<void> {
    // One that runs already may have begun before what the failed fsync was for.
    await this.#running;
    if (!(await this.run())) throw new Error('the log could not be copied to the database');
  }

  /** No more checkpoints of its own; settles when the running one has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelIdle();
    await this.#running;
  }

  async close(): Promise<void> {
    await this.#db?.close();
  }

  #cancelIdle(): void {
    this.#idle?.();
    this.#idle = null;
  }

  async #run(): Promise<boolean> {
    const { starting, done, walBytes, clock } = this.#options;
    let complete = false;
    let rest = 0;
    try {
      starting();
      const long = walBytes() >= LONG_LOG_BYTES;
      for (let n = 0; n < BUSY_PASSES && this.#goesOn(complete, long && rest >= WORTH_WRITES); n++) {
        const before = this.#writes;
        complete = await this.#pass();
        rest = this.#writes - before;
      }
      if (long && this.#goesOn(complete, rest > 0)) {
        const taken = await this.#takeRest();
        if (taken) rest = 0;
        else this.#retryAt = clock.monotonic() + RETRY_MS;
        complete ||= taken;
      }
    } catch {
      // A full or failing disk: the log keeps everything, and the next idle second tries again.
      this.#retryAt = clock.monotonic() + RETRY_MS;
    }
    // After a failure the count goes on from zero too, else an idle store would try again each second.
    this.#writes = complete ? rest : 0;
    done(complete);
    return complete;
  }

  /** A stop waits for the pass that runs and does the rest itself (`last`). */
  #goesOn(complete: boolean, leavesMuch: boolean): boolean {
    return !this.#stopped && (!complete || leavesMuch);
  }

  /**
   * SQLite starts the log anew only if a write finds nothing in it that is not in the main file, and while something
   * is written all the time each pass leaves a little. A pass that leaves something does not sync the main file either:
   * that is done here, off the main thread, so that what stands still in the end is the copying of a few pages.
   */
  async #takeRest(): Promise<boolean> {
    // Never closed: closing any descriptor of a database drops this process's POSIX locks on it.
    this.#fd ??= openSync(this.#options.dbPath, 'r+');
    await dataOnDisk(this.#fd);
    return this.#options.finish();
  }

  /** Throws what SQLite throws. */
  async #pass(): Promise<boolean> {
    this.#db ??= new AsyncDatabase(this.#options.dbPath, {});
    const statement = await this.#db.prepare('PRAGMA wal_checkpoint(PASSIVE)');
    return isComplete((await statement.all([]))[0]);
  }
}
