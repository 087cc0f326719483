/**
 * Room for a full disk (contract D10): free pages inside the main file, a write-ahead log that is as long, and a
 * reserve file for file systems where writing in place takes new blocks. The first two let the store go on as before;
 * the file is given up when they are not enough and made again when the disk has room.
 */
import { closeSync, existsSync, fsyncSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '../protocol/ports.ts';
import { type Connection, isHeld, isRefused, PAGE_BYTES } from './connection.ts';

/** While the disk is full, less than this and the main file would have to grow: a few dozen events. */
const LEAST_FREE_PAGES = 32;
const BLOCK = 64 * 1024;
/** With less than this of each there is no point in a reserve. */
const LEAST_BYTES = 2 * LEAST_FREE_PAGES * PAGE_BYTES;
/** On a disk without room for all of it the three together take no more than half of what is free. */
const SHARE = 1 / 6;
/** A disk that had too little room is asked again after so long, ms. */
const ASK_AGAIN_MS = 60_000;

export interface ReserveOptions {
  readonly clock: Clock;
  readonly db: Connection;
  readonly walPath: string;
  readonly filePath: string;
  /** For each of the three. */
  readonly bytes: number;
}

/** Removes the reserve file; true when there was one and the disk let it go (a read-only one does not). */
export function giveUpReserve(filePath: string): boolean {
  if (!existsSync(filePath)) return false;
  try {
    rmSync(filePath, { force: true });
    return true;
  } catch (error) {
    if (!isRefused(error)) throw error;
    return false;
  }
}

export class Reserve {
  readonly #options: ReserveOptions;
  readonly #freePages: () => number;
  /** The disk was full and has not been seen with room since. */
  #tight = false;
  /** How large each of the three is to be: less than the whole where the disk has less room. */
  #goal: number;
  /** When the disk was last seen with too little room for the whole. */
  #askedAt = 0;

  constructor(options: ReserveOptions) {
    this.#options = options;
    this.#goal = options.bytes;
    const count = options.db.prepare<{ freelist_count: number }>('PRAGMA freelist_count');
    this.#freePages = () => Number(count.get([])?.freelist_count);
  }

  /** Whether the free pages last for another transaction; not asked while the disk has room. */
  hasRoom(): boolean {
    if (!this.#tight) return true;
    try {
      return this.#freePages() >= LEAST_FREE_PAGES;
    } catch (error) {
      if (!isRefused(error)) throw error;
      return false;
    }
  }

  /** Gives the reserve file up; true when that made room. */
  release(): boolean {
    this.#tight = true;
    return giveUpReserve(this.#options.filePath);
  }

  /** Whether something has to be grown: `grow` writes, so it is for idle times. */
  isShort(): boolean {
    const { bytes, clock } = this.#options;
    if (!this.#holds(this.#goal)) return true;
    if (this.#goal === bytes || clock.monotonic() - this.#askedAt < ASK_AGAIN_MS) return false;
    // Only for much more: each growth takes of the room that the next look sees.
    if (this.#fitting() >= Math.max(2 * this.#goal, LEAST_BYTES)) return true;
    this.#askedAt = clock.monotonic();
    return false;
  }

  /** Makes all three as large as they should be, or as fits; false when the disk has no room for that. */
  grow(): boolean {
    const { bytes, clock } = this.#options;
    this.#askedAt = clock.monotonic();
    try {
      this.#goal = this.#fitting();
      if (this.#goal === 0) return false;
      this.#writeFile(this.#goal);
      this.#freeUp(this.#goal);
      if (this.#goal === bytes) this.#tight = false;
      return true;
    } catch (error) {
      this.#goal = 0;
      // A database that somebody else holds says nothing about the disk.
      if (!isHeld(error)) this.release();
      if (!isRefused(error)) throw error;
      return false;
    }
  }

  /** A few free pages where the disk has too little room for the whole reserve; false: not even these. */
  growLittle(): boolean {
    try {
      // Without looking first they would be promised in the log and not be there in the main file.
      if (this.#room() <= 4 * LEAST_BYTES) return false;
      this.#freeUp(LEAST_BYTES);
      return true;
    } catch (error) {
      if (!isRefused(error)) throw error;
      return false;
    }
  }

  #holds(bytes: number): boolean {
    if (bytes === 0) return true;
    const { walPath, filePath } = this.#options;
    const wal = statSync(walPath, { throwIfNoEntry: false })?.size ?? 0;
    return wal >= bytes && this.#freePages() >= bytes / PAGE_BYTES / 2 && existsSync(filePath);
  }

  /** How large each of the three can be made; 0: there is no room for any. */
  #fitting(): number {
    const { bytes } = this.#options;
    const room = this.#room();
    if (room > 3 * bytes) return bytes;
    const part = Math.floor(room * SHARE);
    return part < LEAST_BYTES ? 0 : part;
  }

  #room(): number {
    const { bavail, bsize } = statfsSync(dirname(this.#options.filePath));
    return bavail * bsize;
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

  #writeFile(bytes: number): void {
    const { filePath } = this.#options;
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
