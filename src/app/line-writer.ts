/**
 * Lines for a descriptor whose reader may stand still: a terminal stopped with Ctrl-S, selected text in a Windows
 * console, a program behind a pipe that hangs. They are written by the thread pool, one write at a time, so that at worst
 * one of its threads waits, and never this one. Meanwhile lines are kept up to a bound; those beyond are lost, counted,
 * and told behind those that were kept.
 */
import { write } from 'node:fs';

/** Beside as much that is being written. */
const MAX_WAITING_BYTES = 64 * 1024;
/** A descriptor that others have set to never wait is asked again after so long, ms. */
const ASK_AGAIN_MS = 100;
const WOULD_WAIT = new Set(['EAGAIN', 'EBUSY']);

/** As fs.write: calls `done` with the bytes that were taken. */
export type Put = (
  bytes: Uint8Array,
  done: (error: NodeJS.ErrnoException | null, count: number) => void,
) => void;

export interface LineWriterOptions {
  readonly put: Put;
  /** What is written in the place of so many lines. */
  lost(count: number): string;
  /** What could not be written is kept, and tried again with the next line. */
  onError?(error: Error): void;
}

/** Writes to a descriptor of this process. */
export function putTo(fd: number): Put {
  return (bytes, done) => write(fd, bytes, done);
}

export class LineWriter {
  readonly #options: LineWriterOptions;
  #waiting: string[] = [];
  #waitingBytes = 0;
  #lost = 0;
  /** Is being written; after an error, what it left. */
  #taken: Uint8Array = new Uint8Array();
  #state: 'idle' | 'writing' | 'refused' = 'idle';
  #rested: (() => void)[] = [];

  constructor(options: LineWriterOptions) {
    this.#options = options;
  }

  /** A write is under way, and nobody knows for how long: process.exit() would wait for it. */
  get writing(): boolean {
    return this.#state === 'writing';
  }

  /** Never waits. `line` ends in a newline. */
  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    // What comes after a lost one would stand before the word about it.
    if (this.#lost > 0 || this.#waitingBytes + bytes > MAX_WAITING_BYTES) this.#lost += 1;
    else {
      this.#waiting.push(line);
      this.#waitingBytes += bytes;
    }
    if (this.#state === 'idle') this.#next();
  }

  /** Settles when all is written, when it cannot be, or after `ms`. */
  async written(ms: number): Promise<void> {
    if (this.#state === 'idle') return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#rested.push(resolve);
      timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
  }

  #next(): void {
    if (this.#taken.length === 0) this.#taken = this.#take();
    if (this.#taken.length === 0) {
      this.#rest();
      return;
    }
    this.#state = 'writing';
    this.#options.put(this.#taken, (error, count) => {
      if (error) this.#failed(error);
      else {
        this.#taken = this.#taken.subarray(count);
        this.#next();
      }
    });
  }

  #take(): Uint8Array {
    const text = this.#waiting.join('') + (this.#lost > 0 ? this.#options.lost(this.#lost) : '');
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#lost = 0;
    return Buffer.from(text);
  }

  #failed(error: NodeJS.ErrnoException): void {
    if (WOULD_WAIT.has(error.code ?? '')) {
      this.#state = 'refused';
      setTimeout(() => this.#next(), ASK_AGAIN_MS).unref();
      return;
    }
    this.#rest();
    this.#options.onError?.(error);
  }

  #rest(): void {
    this.#state = 'idle';
    for (const tell of this.#rested.splice(0)) tell();
  }
}
