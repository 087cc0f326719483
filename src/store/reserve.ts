/**
 * Room for a full disk (contract D10): free pages inside the main file, a write-ahead log that is as long, and a
 * reserve file for file systems where writing in place takes new blocks. The first two let the store go on as before;
 * the file is given up when they are not enough and made again when the disk has room.
 */
import { closeSync, existsSync, fsyncSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Connection, isRefused, PAGE_BYTES } from './connection.ts';

/** While the disk is full, less than this and the main file would have to grow: a few dozen events. */
const LEAST_FREE_PAGES = 32;
const BLOCK = 64 * 1024;

export interface ReserveOptions {
  readonly db: Connection;
  readonly walPath: string;
  readonly filePath: string;
  /** For each of the three. */
  readonly bytes: number;
}

/** Removes the reserve file; true when there was one. */
export function giveUpReserve(filePath: string): boolean {
  if (!existsSync(filePath)) return false;
  rmSync(filePath, { force: true });
  return true;
}

export class Reserve {
  readonly #options: ReserveOptions;
  readonly #freePages: () => number;
  /** The disk was full and has not been seen with room since. */
  #tight = false;

  constructor(options: ReserveOptions) {
    this.#options = options;
    const count = options.db.prepare<{ freelist_count: number }>('PRAGMA freelist_count');
    this.#freePages = () => Number(count.get([])?.freelist_count);
  }

  /** Whether the free pages last for another transaction; not asked while the disk has room. */
  hasRoom(): boolean {
    return !this.#tight || this.#freePages() >= LEAST_FREE_PAGES;
  }

  /** Gives the reserve file up; true when there was one. */
  release(): boolean {
    this.#tight = true;
    return giveUpReserve(this.#options.filePath);
  }

  /** Whether something has to be grown: `grow` writes, so it is for idle times. */
  isShort(): boolean {
    const { bytes, walPath, filePath } = this.#options;
    const wal = statSync(walPath, { throwIfNoEntry: false })?.size ?? 0;
    return wal < bytes || this.#freePages() < bytes / PAGE_BYTES / 2 || !existsSync(filePath);
  }

  /** Makes all three as large as they should be; false when the disk has no room for that. */
  grow(): boolean {
    const { bytes } = this.#options;
    if (!this.#diskHas(3 * bytes)) return false;
    try {
      this.#writeFile();
      this.#freeUp(bytes);
      this.#tight = false;
      return true;
    } catch (error) {
      this.release();
      if (!isRefused(error)) throw error;
      return false;
    }
  }

  /** A few free pages where the disk has too little room for the whole reserve; false: not even these. */
  growLittle(): boolean {
    const bytes = 2 * LEAST_FREE_PAGES * PAGE_BYTES;
    // Without looking first they would be promised in the log and not be there in the main file.
    if (!this.#diskHas(4 * bytes)) return false;
    try {
      this.#freeUp(bytes);
      return true;
    } catch (error) {
      if (!isRefused(error)) throw error;
      return false;
    }
  }

  #diskHas(bytes: number): boolean {
    const { bavail, bsize } = statfsSync(dirname(this.#options.filePath));
    return bavail * bsize > bytes;
  }

  /** A row as long as that, written and deleted: its pages are free then, and the log is as long. */
  #freeUp(bytes: number): void {
    const { db } = this.#options;
    try {
      db.exec(`BEGIN IMMEDIATE; INSERT INTO reserve VALUES (zeroblob(${bytes})); COMMIT`);
      db.exec('DELETE FROM reserve');
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }

  #writeFile(): void {
    const { filePath, bytes } = this.#options;
    if ((statSync(filePath, { throwIfNoEntry: false })?.size ?? -1) >= bytes) return;
    rmSync(filePath, { force: true });
    const fd = openSync(filePath, 'wx', 0o600);
    try {
      const block = Buffer.alloc(Math.min(BLOCK, bytes));
      for (let at = 0; at < bytes; ) at += writeSync(fd, block, 0, Math.min(block.length, bytes - at), at);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }
}
