/**
 * Linux without the process connector (old kernels, containers): the newest pid is read at every tick, and only
 * if it has moved the pids between are looked at, and young ones again for a while because exec follows fork. So
 * a tick costs the same among a hundred processes and among thousands. A full look comes at every reconcile.
 */
import { readFileSync } from 'node:fs';
import type { GameProcess } from '../../../protocol/messages.ts';
import { isTwin, type Look, type LookCause, type Sighting } from '../behavior.ts';
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
const INIT_PID = 1;
/** A process found gone went within the last tick, unless ticks stood still for longer than this. */
const WATCH_LAPSE_MS = 2_000;

export interface ProcfsOptions {
  readonly context: SourceContext;
  readonly reader: ProcReader;
  /** The highest pid of the machine. */
  readonly pidMax?: number;
}

/** A process that is looked at again for a while. */
interface Young {
  readonly untilMs: number;
  /** Seen once as what may be a mere fork of a game. */
  doubted: boolean;
}

export class ProcfsSource implements ProcessSource {
  readonly name = 'procfs';
  readonly #context: SourceContext;
  readonly #reader: ProcReader;
  readonly #pidMax: number;
  #sink: SourceSink | null = null;
  #stopTick: () => void = () => {};
  #newest = 0;
  /** By pid, in order of age. */
  readonly #young = new Map<number, Young>();
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
    this.#keepTicking();
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

  #keepTicking(): void {
    const { clock, pollIntervalMs } = this.#context;
    const tick = () => this.tick();
    this.#stopTick = clock.every(pollIntervalMs, () => {
      this.#attempt(tick);
      // A reload may have changed how often.
      if (!this.#sink || this.#context.pollIntervalMs === pollIntervalMs) return;
      this.#stopTick();
      this.#keepTicking();
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
    this.#noteNew(this.#reader.newestPid());
    if (this.#young.size > 0 || this.#context.watched().length > 0) {
      const looks = this.#lookAtWatched();
      this.#lookAtYoung(looks, now);
      this.#tell('watch', looks);
    } else {
      this.#lookedAt = now;
      this.#sink?.idle();
    }
    if (now >= this.#reconcileAt) this.#reconcile();
  }

  #lookAtAll(cause: LookCause): void {
    // Read before the list, so that what is forked meanwhile is looked at by the next tick.
    this.#noteNew(this.#reader.newestPid());
    this.#tell(cause, this.#lookAtOthers(this.#lookAtWatched()));
    this.#reconcileLater();
  }

  /** Tells the games that no tick has told; those that started just now are the next tick's. */
  #reconcile(): void {
    const watched = new Set(this.#context.watched());
    const looks = this.#lookAtOthers(new Map(), (pid) => watched.has(pid));
    this.#noteNew(this.#reader.newestPid());
    for (const pid of this.#young.keys()) looks.delete(pid);
    this.#tell('reconcile', looks);
    this.#reconcileLater();
  }

  #reconcileLater(): void {
    this.#reconcileAt = this.#context.clock.monotonic() + this.#context.reconcileMs;
  }

  /** Adds the games among all processes that are not in it yet. */
  #lookAtOthers(looks: Map<number, Look>, except = (pid: number) => looks.has(pid)): Map<number, Look> {
    for (const pid of this.#reader.pids()) {
      if (except(pid)) continue;
      const look = this.#reader.look(pid, false);
      if (look.is === 'game') looks.set(pid, look);
    }
    return looks;
  }

  #lookAtYoung(looks: Map<number, Look>, now: number): void {
    for (const [pid, young] of this.#young) {
      const look = this.#reader.look(pid, false);
      if (look.is === 'game' && !looks.has(pid) && !this.#reader.isThread(pid)) {
        if (!young.doubted && this.#maybeFork(look.sighting, looks)) {
          young.doubted = true;
          continue;
        }
        looks.set(pid, look);
      }
      if (look.is !== 'other' || now > young.untilMs) this.#young.delete(pid);
    }
  }

  /**
   * A game that starts a helper is its own twin between fork and exec. The twin's parent is the game, or such a twin,
   * or nobody: one that forks twice leaves the helper to init.
   */
  #maybeFork({ process, parentPid }: Sighting, looks: ReadonlyMap<number, Look>): boolean {
    const ofGame = looks.has(parentPid) || this.#young.get(parentPid)?.doubted === true;
    return (ofGame || parentPid === INIT_PID) && hasTwin(process, looks);
  }

  #lookAtWatched(): Map<number, Look> {
    return new Map(this.#context.watched().map((pid) => [pid, this.#reader.look(pid, true)]));
  }

  #tell(cause: LookCause, looks: ReadonlyMap<number, Look>): void {
    const now = this.#context.clock.monotonic();
    const lapsed = now - this.#lookedAt > this.#context.pollIntervalMs + WATCH_LAPSE_MS;
    this.#lookedAt = now;
    const complete = cause !== 'watch';
    this.#sink?.observe({ type: 'looks', cause, atMs: lapsed ? null : now, looks, complete });
  }

  /** What was forked since the last time is young from now on. */
  #noteNew(newest: number): void {
    if (this.#newest !== 0 && newest !== this.#newest) {
      const untilMs = this.#context.clock.monotonic() + YOUNG_MS;
      for (const pid of this.#pidsUpTo(newest)) {
        this.#young.delete(pid);
        this.#young.set(pid, { untilMs, doubted: false });
      }
      for (const pid of this.#young.keys()) {
        if (this.#young.size <= YOUNG_MAX) break;
        this.#young.delete(pid);
      }
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

/** Whether a game that was looked at already runs the same program with the same command line. */
function hasTwin(process: GameProcess, looks: ReadonlyMap<number, Look>): boolean {
  for (const look of looks.values()) {
    if (look.is === 'game' && isTwin(look.sighting.process, process)) return true;
  }
  return false;
}
