/**
 * Moves the write-ahead log into the main file when the store has been idle for a second, or when the log has become
 * long. It runs on a second connection whose calls are carried out on libsql's own threads: with a slow disk a
 * checkpoint takes tens of ms, and the main thread has events to send. The main file changes only here.
 */
import AsyncDatabase from 'libsql/promise';
import type { Clock } from '../protocol/ports.ts';

export interface CheckpointOptions {
  readonly clock: Clock;
  readonly dbPath: string;
  /** Before the main file is written. */
  readonly starting: () => void;
  /** A checkpoint on the main connection, blocking; true when it took all of the log. */
  readonly finish: () => boolean;
  /** `complete`: everything that was committed when it started is in the main file. */
  readonly done: (complete: boolean) => void;
}

const IDLE_MS = 1_000;
/** Fewer writes than these are left in the log: a start reads them in no time, and an idle disk stays idle. */
const WORTH_WRITES = 400;
/** A log of about 150 MB: then it is done even though writes go on. */
const MANY_WRITES = 50_000;
/** While writes go on each pass leaves less for the next; the last rest is taken with the writes standing still. */
const BUSY_PASSES = 3;

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
  #writes = 0;
  #idle: (() => void) | null = null;
  #running: Promise<boolean> | null = null;
  #stopped = false;

  constructor(options: CheckpointOptions) {
    this.#options = options;
  }

  wrote(rows: number): void {
    this.#writes += rows;
    this.#cancelIdle();
    if (this.#writes >= MANY_WRITES) void this.run();
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
   * After a failed fsync of the log: settles when all that was committed before the call is in the main file, and
   * rejects when it is not. The kernel reports a failed write once, so that the next fsync may succeed without it.
   */
  async repair(): Promise<void> {
    // One that runs already may have begun before what the failed fsync was for.
    await this.#running;
    if (!(await this.run())) throw new Error('the log could not be copied to the database');
  }

  /** No more checkpoints; settles when the running one has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelIdle();
    await this.#running;
    await this.#db?.close();
  }

  #cancelIdle(): void {
    this.#idle?.();
    this.#idle = null;
  }

  async #run(): Promise<boolean> {
    const { starting, finish, done, dbPath } = this.#options;
    const before = this.#writes;
    let complete = false;
    try {
      starting();
      for (let pass = 0; pass < BUSY_PASSES && !complete; pass++) complete = await this.#pass(dbPath);
      if (!complete && before >= MANY_WRITES) complete = finish();
    } catch {
      // A full or failing disk: the log keeps everything, and the next idle second tries again.
    }
    // After a failure the count goes on from zero too, else a busy store would try again at each write.
    this.#writes -= before;
    done(complete);
    return complete;
  }

  async #pass(dbPath: string): Promise<boolean> {
    this.#db ??= new AsyncDatabase(dbPath, {});
    const statement = await this.#db.prepare('PRAGMA wal_checkpoint(PASSIVE)');
    return isComplete((await statement.all([]))[0]);
  }
}
