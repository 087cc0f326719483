/**
 * Linux without the process connector (old kernels, containers): the newest pid is read at every tick, and only
 * if it has moved the pids between are looked at, and young ones again for a while because exec follows fork. So
 * a tick costs the same among a hundred processes and among thousands. A full look comes at every reconcile.
 */
import { readFileSync } from 'node:fs';
import type { Look, LookCause } from '../behavior.ts';
import type { ProcReader } from '../proc.ts';
import type { ProcessSource, SourceContext, SourceSink } from '../source.ts';

/** How long a new process is looked at again. One that execs later is found by the reconcile. */
const YOUNG_MS = 2_000;
/** So many at once; the oldest are left to the reconcile. */
const YOUNG_MAX = 512;
/** Beyond so many new pids listing /proc is cheaper than trying each. */
const GAP_MAX = 256;
/** The first pid that is given out again after a wrap (RESERVED_PIDS). */
const WRAP_TO = 300;
/** A process found gone went within the last tick, unless ticks stood still for longer than this. */
const WATCH_LAPSE_MS = 2_000;

export interface ProcfsOptions {
  readonly context: SourceContext;
  readonly reader: ProcReader;
  /** The highest pid of the machine. */
  readonly pidMax?: number;
}

export class ProcfsSource implements ProcessSource {
  readonly name = 'procfs';
  readonly #context: SourceContext;
  readonly #reader: ProcReader;
  readonly #pidMax: number;
  #sink: SourceSink | null = null;
  #stopTick: () => void = () => {};
  #newest = 0;
  /** New pid → until when it is looked at again. In order of age. */
  readonly #young = new Map<number, number>();
  #reconcileAt = 0;
  #lookedAt = 0;

  constructor({ context, reader, pidMax }: ProcfsOptions) {
    this.#context = context;
    this.#reader = reader;
    this.#pidMax = pidMax ?? Number(readFileSync('/proc/sys/kernel/pid_max', 'latin1'));
  }

  get lookEveryMs(): number {
    return this.#context.pollIntervalMs;
  }

  async start(sink: SourceSink): Promise<void> {
    this.#sink = sink;
    try {
      this.#lookAtAll('rescan');
    } catch (thrown) {
      this.stop();
      throw thrown;
    }
    this.#tickLater();
  }

  rescan(cause: LookCause): void {
    this.#attempt(() => this.#lookAtAll(cause));
  }

  look(pids: readonly number[]): void {
    this.#tell('watch', new Map(pids.map((pid) => [pid, this.#reader.look(pid, true)])));
  }

  stop(): void {
    if (!this.#sink) return;
    this.#sink = null;
    this.#stopTick();
  }

  #tickLater(): void {
    this.#stopTick = this.#context.clock.after(this.#context.pollIntervalMs, () => {
      this.#attempt(() => this.tick());
      if (this.#sink) this.#tickLater();
    });
  }

  #attempt(scan: () => void): void {
    try {
      scan();
    } catch (thrown) {
      this.#sink?.failed(thrown instanceof Error ? thrown.message : String(thrown));
    }
  }

  /** One look; public for the measurement of what it costs. */
  tick(): void {
    const now = this.#context.clock.monotonic();
    if (now >= this.#reconcileAt) {
      this.#lookAtAll('reconcile');
      return;
    }
    const newest = this.#reader.newestPid();
    if (newest !== this.#newest) this.#addYoung(newest, now + YOUNG_MS);
    const looks = this.#lookAtWatched();
    for (const [pid, until] of this.#young) {
      const look = this.#reader.look(pid, false);
      if (look.is === 'game' && !looks.has(pid) && !this.#reader.isThread(pid)) looks.set(pid, look);
      if (look.is !== 'other' || now > until) this.#young.delete(pid);
    }
    this.#tell('watch', looks);
  }

  #lookAtAll(cause: LookCause): void {
    // Read before the list, so that what is forked meanwhile is looked at by the next tick.
    this.#newest = this.#reader.newestPid();
    const looks = this.#lookAtWatched();
    for (const pid of this.#reader.pids()) {
      if (looks.has(pid)) continue;
      const look = this.#reader.look(pid, false);
      if (look.is === 'game') looks.set(pid, look);
    }
    this.#reconcileAt = this.#context.clock.monotonic() + this.#context.reconcileMs;
    this.#tell(cause, looks);
  }

  #lookAtWatched(): Map<number, Look> {
    return new Map(this.#context.watched().map((pid) => [pid, this.#reader.look(pid, true)]));
  }

  #tell(cause: LookCause, looks: ReadonlyMap<number, Look>): void {
    const now = this.#context.clock.monotonic();
    const lapsed = now - this.#lookedAt > this.#context.pollIntervalMs + WATCH_LAPSE_MS;
    this.#lookedAt = now;
    this.#sink?.observe({ type: 'looks', cause, atMs: lapsed ? null : now, looks });
  }

  #addYoung(newest: number, until: number): void {
    for (const pid of this.#pidsUpTo(newest)) {
      this.#young.delete(pid);
      this.#young.set(pid, until);
    }
    for (const pid of this.#young.keys()) {
      if (this.#young.size <= YOUNG_MAX) break;
      this.#young.delete(pid);
    }
    this.#newest = newest;
  }

  /** The pids given out since the last tick: those after the newest one then, over the wrap if need be. */
  #pidsUpTo(newest: number): readonly number[] {
    const last = this.#newest;
    const wrapped = newest < last;
    const count = wrapped ? this.#pidMax - last + newest - WRAP_TO : newest - last;
    if (count > GAP_MAX) {
      return this.#reader
        .pids()
        .filter((pid) => (wrapped ? pid > last || pid <= newest : pid > last && pid <= newest));
    }
    const pids: number[] = [];
    for (let pid = last + 1; pid < (wrapped ? this.#pidMax : newest + 1); pid++) pids.push(pid);
    if (wrapped) for (let pid = WRAP_TO; pid <= newest; pid++) pids.push(pid);
    return pids;
  }
}
