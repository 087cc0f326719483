/**
 * Group durability (contract D5): one fdatasync of the write-ahead log, on the thread pool, covers all commits before
 * it. It begins within 50 ms of the first that is not covered, and none happens while nothing is written. After a
 * failed one the page cache can no longer be believed, so everything is first copied to the main file (`repair`).
 */
import { closeSync, fdatasync, fdatasyncSync, fstatSync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Clock } from '../protocol/ports.ts';

export interface DurabilityOptions {
  readonly clock: Clock;
  readonly walPath: string;
  /** Writes what is still in memory, before an fsync. */
  readonly prepare: () => void;
  /** An fsync has returned; `settled`: nothing was committed since it began. */
  readonly covered: (settled: boolean) => void;
  readonly repair: () => Promise<void>;
}

/** Half of what the contract allows: the rest is for a late timer. */
const DELAY_MS = 25;
const RETRY_MS = 1_000;

interface Waiter {
  readonly upTo: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class Durability {
  readonly #options: DurabilityOptions;
  readonly #fd: number;
  #committed = 0;
  #synced = 0;
  #firstUnsyncedAt = 0;
  #timer: (() => void) | null = null;
  #running = false;
  #stopped = false;
  #waiters: Waiter[] = [];
  #error: Error | null = null;
  #lastSyncMs: number | null = null;

  /** The `-wal` must be there. Opened for writing: Windows flushes nothing else. */
  constructor(options: DurabilityOptions) {
    this.#options = options;
    this.#fd = openSync(options.walPath, 'r+');
  }

  get unsynced(): number {
    return this.#committed - this.#synced;
  }

  get error(): Error | null {
    return this.#error;
  }

  /** null: nothing is unsynced. */
  get unsyncedSinceMs(): number | null {
    return this.unsynced === 0 ? null : this.#firstUnsyncedAt;
  }

  get lastSyncMs(): number | null {
    return this.#lastSyncMs;
  }

  get walBytes(): number {
    return fstatSync(this.#fd).size;
  }

  /** Something was committed, or waits in memory for `prepare`. */
  touch(): void {
    if (this.#committed === this.#synced) this.#firstUnsyncedAt = this.#options.clock.monotonic();
    this.#committed++;
    this.#schedule();
  }

  /** Settles when all that was committed before the call is on the disk. */
  durable(): Promise<void> {
    if (this.#committed === this.#synced) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiters.push({ upTo: this.#committed, resolve, reject });
      if (!this.#running) this.#begin();
    });
  }

  /** The same, at once and blocking: for the start of a run. */
  syncNow(): void {
    fdatasyncSync(this.#fd);
    this.#allSynced();
  }

  /** The same for its end, after `stop`. `copied`: a checkpoint has put all of it on the disk already. */
  async last(copied: boolean): Promise<void> {
    if (!copied) await promisify(fdatasync)(this.#fd);
    this.#allSynced();
  }

  #allSynced(): void {
    this.#synced = this.#committed;
    this.#lastSyncMs = this.#options.clock.monotonic();
    for (const waiter of this.#waiters.splice(0)) waiter.resolve();
  }

  /** No more fsyncs of its own; settles when the running one has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTimer();
    while (this.#running) await new Promise((resolve) => setImmediate(resolve));
  }

  close(): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(new Error('the store is closed'));
    closeSync(this.#fd);
  }

  #schedule(): void {
    if (this.#timer || this.#running || this.#stopped) return;
    // After a failed note there is nothing to sync, and yet something to repair.
    if (this.#committed === this.#synced && this.#error === null) return;
    const { clock } = this.#options;
    const due = this.#firstUnsyncedAt + DELAY_MS - clock.monotonic();
    const wait = this.#error ? RETRY_MS : Math.max(0, due);
    this.#timer = clock.after(wait, () => this.#begin());
  }

  #cancelTimer(): void {
    this.#timer?.();
    this.#timer = null;
  }

  #begin(): void {
    this.#cancelTimer();
    if (this.#stopped) return;
    this.#running = true;
    if (this.#error) {
      this.#options.repair().then(
        () => this.#sync(),
        (error: Error) => this.#fail(error),
      );
    } else this.#sync();
  }

  #sync(): void {
    try {
      // While a repair was under way; what `prepare` writes would come after the last of the run.
      if (this.#stopped) throw new Error('the store closes');
      this.#options.prepare();
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    const upTo = this.#committed;
    fdatasync(this.#fd, (error) => {
      if (error) this.#fail(error);
      else this.#succeed(upTo);
    });
  }

  #succeed(upTo: number): void {
    this.#running = false;
    this.#error = null;
    this.#synced = upTo;
    this.#lastSyncMs = this.#options.clock.monotonic();
    // What came meanwhile is younger than the beginning of this fsync; when exactly does not matter.
    this.#firstUnsyncedAt = this.#lastSyncMs;
    try {
      this.#options.covered(this.#committed === upTo);
    } catch (error) {
      // The log is on the disk all the same; only what is noted about it is not.
      this.#error = error as Error;
    }
    for (const waiter of this.#waiters.filter((w) => w.upTo <= upTo)) waiter.resolve();
    this.#waiters = this.#waiters.filter((w) => w.upTo > upTo);
    if (this.#waiters.length > 0 && !this.#stopped) this.#begin();
    else this.#schedule();
  }

  #fail(error: Error): void {
    this.#running = false;
    this.#error = error;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
    this.#schedule();
  }
}
