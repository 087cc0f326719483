/**
 * Processes whose first thread has ended while others run on. The process ends with the last of them, but is still
 * listed when that event comes; so it is looked at, often after such an event and seldom later on.
 */
import type { RuntimeClock } from '../../../runtime/clock.ts';
import type { ProcReader } from '../proc.ts';

/** How long until they are looked at again: doubling. */
const FIRST_MS = 1;
const LATEST_MS = 1_000;

export interface LeaderlessOptions {
  readonly clock: RuntimeClock;
  readonly afterExit: ProcReader['afterExit'];
  readonly ended: (pid: number, atMs: number, successor: string | null) => void;
}

interface Living {
  /** When a thread of it was last known to run or to end: the process did not end before. */
  lastMs: number;
  /** Found ended: what tells the moment may still be on its way, so it is told with the next look. */
  ended: boolean;
}

export class Leaderless {
  readonly #options: LeaderlessOptions;
  readonly #processes = new Map<number, Living>();
  #stopTimer: () => void = () => {};

  constructor(options: LeaderlessOptions) {
    this.#options = options;
  }

  add(pid: number, atMs: number): void {
    this.#processes.set(pid, { lastMs: atMs, ended: false });
    this.#lookIn(FIRST_MS);
  }

  threadEnded(pid: number, atMs: number): void {
    const process = this.#processes.get(pid);
    if (!process) return;
    process.lastMs = Math.max(process.lastMs, atMs);
    this.#lookIn(FIRST_MS);
  }

  forget(pid: number): void {
    this.#processes.delete(pid);
  }

  stop(): void {
    this.#stopTimer();
  }

  #lookIn(delayMs: number): void {
    this.#stopTimer();
    this.#stopTimer = this.#options.clock.after(delayMs, () => {
      const soon = this.#look();
      if (this.#processes.size > 0) this.#lookIn(soon ? FIRST_MS : Math.min(delayMs * 2, LATEST_MS));
    });
  }

  /** true: one was found ended and is to be told. */
  #look(): boolean {
    const { clock, afterExit, ended } = this.#options;
    let soon = false;
    for (const [pid, process] of this.#processes) {
      const after = afterExit(pid);
      if (after.is === 'threads') {
        process.lastMs = clock.monotonic();
      } else if (process.ended) {
        this.#processes.delete(pid);
        ended(pid, process.lastMs, after.successor);
      } else {
        process.ended = true;
        soon = true;
      }
    }
    return soon;
  }
}
