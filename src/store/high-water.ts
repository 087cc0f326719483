/**
 * The high-water file: how far the log is known to be on the disk. It is written only after an fsync of the
 * write-ahead log has returned, so a power loss leaves it behind the database, never ahead; a database that is behind
 * it has lost something. Two slots are written in turn, so that a torn write leaves the other.
 *
 * Its `settled` byte says that nothing was committed since: then it is exact, and the two database files must be as
 * they were left. The byte is cleared before the first commit that follows.
 */
import { closeSync, fstatSync, fsync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import type { FileMark } from './files.ts';
import type { Sealer } from './seal.ts';

export interface HighWater {
  /** Counts fsyncs of this data directory's life; the database holds the same number in `meta`. */
  readonly generation: number;
  readonly ordinal: number;
  readonly epoch: string;
  readonly offset: number;
  readonly bootId: string;
  /** The run ended cleanly. */
  readonly clean: boolean;
  /** The main file as the last checkpoint left it, and the seq up to which it holds the events. */
  readonly db: (FileMark & { readonly seq: number }) | null;
  readonly wal: FileMark | null;
  /** A statement of this run found the database damaged, whatever a check of it says. */
  readonly damaged: boolean;
  /** Events that still waited for the disk when the run ended; all before them was on it when this was written. */
  readonly lost: number;
  /** The last epoch when events began to wait in memory for the disk; null: none waits. A kill takes them, uncounted. */
  readonly waiting: string | null;
}

export interface FoundHighWater extends HighWater {
  readonly settled: boolean;
  /** The file itself was moved or restored, so the marks of its neighbours mean nothing. */
  readonly moved: boolean;
}

const SLOT_BYTES = 1024;
const SETTLED_AT = 2 * SLOT_BYTES;
const FILE_BYTES = SETTLED_AT + 1;

const onDisk = promisify(fsync);

interface Slot extends HighWater {
  readonly turn: number;
  readonly self: string;
}

/** `none`: there is no such file; `broken`: neither slot holds. */
export function readHighWater(path: string, sealer: Sealer): FoundHighWater | 'none' | 'broken' {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'none';
    throw error;
  }
  try {
    const bytes = Buffer.alloc(FILE_BYTES);
    readSync(fd, bytes, 0, FILE_BYTES, 0);
    const slots = [0, 1].flatMap((n) =>
      readSlot(bytes.toString('utf8', n * SLOT_BYTES, (n + 1) * SLOT_BYTES), sealer),
    );
    const newest = slots.sort((a, b) => b.turn - a.turn)[0];
    if (!newest) return 'broken';
    const settled = bytes.toString('latin1', SETTLED_AT) === '1';
    return { ...newest, settled, moved: `${fstatSync(fd, { bigint: true }).ino}` !== newest.self };
  } finally {
    closeSync(fd);
  }
}

function readSlot(text: string, sealer: Sealer): Slot[] {
  const [json = '', seal] = text.split('\n');
  if (seal !== sealer.seal('high-water', [json])) return [];
  return [JSON.parse(json) as Slot];
}

/** The files it speaks of are about to be replaced by this agent itself. */
export function clearSettled(path: string): void {
  let fd: number;
  try {
    fd = openSync(path, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  writeSync(fd, '0', SETTLED_AT);
  closeSync(fd);
}

/** The open file of this run. All writes are small, in place and synchronous (5 µs); none is synced but the first and the last. */
export class HighWaterFile {
  /** It was not there, or not whole: its first content and its name are not on the disk before `syncNow` and a synced directory. */
  readonly isNew: boolean;
  readonly #fd: number;
  readonly #sealer: Sealer;
  readonly #self: string;
  #turn: number;
  #settled: boolean;
  #last: HighWater | null = null;

  constructor(path: string, sealer: Sealer) {
    const before = readHighWater(path, sealer);
    this.isNew = typeof before === 'string';
    // What the last run left: the first commit of this one ends it, or a kill right after that would look like tampering.
    this.#settled = typeof before !== 'string' && before.settled;
    this.#turn = typeof before === 'string' ? 0 : (before as Slot & FoundHighWater).turn;
    this.#fd = openSync(path, this.isNew ? 'w+' : 'r+', 0o600);
    this.#sealer = sealer;
    this.#self = `${fstatSync(this.#fd, { bigint: true }).ino}`;
  }

  get last(): HighWater | null {
    return this.#last;
  }

  write(highWater: HighWater, settled: boolean): void {
    this.#turn++;
    const slot: Slot = { ...highWater, turn: this.#turn, self: this.#self };
    const json = JSON.stringify(slot);
    const line = `${json}\n${this.#sealer.seal('high-water', [json])}\n`;
    if (line.length > SLOT_BYTES) throw new RangeError('high-water slot overflow');
    if (this.#settled) this.unsettle();
    writeSync(this.#fd, line.padEnd(SLOT_BYTES), (this.#turn % 2) * SLOT_BYTES);
    this.#last = highWater;
    if (settled) {
      writeSync(this.#fd, '1', SETTLED_AT);
      this.#settled = true;
    }
  }

  /** Before the first commit after a settled state. */
  unsettle(): void {
    if (!this.#settled) return;
    writeSync(this.#fd, '0', SETTLED_AT);
    this.#settled = false;
  }

  syncNow(): void {
    fsyncSync(this.#fd);
  }

  /** The same on the thread pool. */
  sync(): Promise<void> {
    return onDisk(this.#fd);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
