/**
 * Windows: snapshots of all processes, as Toolhelp makes them, often after something has started and seldom on a
 * quiet machine, and a handle for each tracked game so that its exit is told at once. One thread of the pool waits
 * on all handles. A process is opened only when its entry is new; one that cannot be opened is known by its name.
 */
import type { GameProcess } from '../../../protocol/messages.ts';
import type { Look, LookCause } from '../behavior.ts';
import type { ProcessSource, SourceContext, SourceSink } from '../source.ts';
import { type Handle, type SnapshotEntry, WAIT_MAX, type Win32 } from '../win32.ts';

/** How long after a new process the short interval holds. */
const LIVELY_MS = 10_000;
/** How much longer the interval is on a quiet machine. */
const QUIET_FACTOR = 4;
/** A wait ends by itself after so long, so that the thread can always be ended. */
const WAIT_SLICE_MS = 1_000;
/** 100 ns units from 1601 to 1970. */
const EPOCH_1970 = 116_444_736_000_000_000n;

export interface ToolhelpOptions {
  readonly context: SourceContext;
  readonly win32: () => Win32;
  /** Epoch ms. */
  readonly wallNow: () => number;
}

interface Held {
  readonly handle: Handle;
  readonly process: GameProcess;
  readonly parentPid: number;
}

/** What opening a process lets us read of it. */
interface Readable {
  readonly path: string | null;
  readonly command: string | null;
  readonly user: () => string | null;
}

export class ToolhelpSource implements ProcessSource {
  readonly name = 'toolhelp';
  readonly #options: ToolhelpOptions;
  readonly #context: SourceContext;
  #win32: Win32 | null = null;
  #sink: SourceSink | null = null;
  #stopTick: () => void = () => {};
  /** The last snapshot: pid → start. */
  #known = new Map<number, string>();
  /** Games by pid, each with an open handle. */
  readonly #held = new Map<number, Held>();
  /** To be closed, but not while the wait uses them. */
  #discarded: Handle[] = [];
  #wakeEvent: Handle | null = null;
  #waiting: Promise<void> = Promise.resolve();
  #livelyUntil = 0;
  #reconcileAt = 0;

  constructor(options: ToolhelpOptions) {
    this.#options = options;
    this.#context = options.context;
  }

  get lookEveryMs(): number {
    return this.#context.pollIntervalMs * QUIET_FACTOR;
  }

  async start(sink: SourceSink): Promise<void> {
    const win32 = this.#options.win32();
    this.#win32 = win32;
    this.#sink = sink;
    try {
      this.#scan(win32, win32.snapshot(), 'rescan', true);
    } catch (thrown) {
      this.#release(win32);
      throw thrown;
    }
    this.#wakeEvent = win32.createEvent();
    this.#waiting = this.#waitForExits(win32, this.#wakeEvent);
    this.#tickLater(win32);
  }

  rescan(cause: LookCause): void {
    const win32 = this.#win32;
    if (win32) this.#attempt(() => this.#scan(win32, win32.snapshot(), cause, true));
  }

  look(): void {
    this.rescan('watch');
  }

  async stop(): Promise<void> {
    const win32 = this.#win32;
    if (!win32) return;
    this.#sink = null;
    this.#stopTick();
    if (this.#wakeEvent !== null) win32.setEvent(this.#wakeEvent);
    await this.#waiting;
    this.#release(win32);
  }

  #release(win32: Win32): void {
    this.#sink = null;
    this.#win32 = null;
    for (const { handle } of this.#held.values()) win32.close(handle);
    this.#held.clear();
    this.#closeDiscarded(win32);
    if (this.#wakeEvent !== null) win32.close(this.#wakeEvent);
    this.#wakeEvent = null;
  }

  #closeDiscarded(win32: Win32): void {
    for (const handle of this.#discarded.splice(0)) win32.close(handle);
  }

  #tickLater(win32: Win32): void {
    const { clock, pollIntervalMs } = this.#context;
    const lively = clock.monotonic() < this.#livelyUntil;
    this.#stopTick = clock.after(lively ? pollIntervalMs : this.lookEveryMs, () => {
      this.#attempt(() => {
        const entries = win32.snapshot();
        this.#scan(win32, entries, 'watch', false);
        // After the regular look at the same processes: what has just happened does not count as missed.
        if (clock.monotonic() >= this.#reconcileAt) this.#scan(win32, entries, 'reconcile', true);
      });
      if (this.#sink) this.#tickLater(win32);
    });
  }

  #attempt(scan: () => void): void {
    try {
      scan();
    } catch (thrown) {
      this.#sink?.failed(thrown instanceof Error ? thrown.message : String(thrown));
    }
  }

  /** `thorough`: opens every process that may be a game, not only new ones. */
  #scan(win32: Win32, entries: readonly SnapshotEntry[], cause: LookCause, thorough: boolean): void {
    const { clock } = this.#context;
    const now = clock.monotonic();
    const looks = new Map<number, Look>(this.#context.watched().map((pid) => [pid, { is: 'gone' }]));
    const known = new Map<number, string>();
    for (const entry of entries) {
      known.set(entry.pid, entry.startKey);
      const isNew = this.#known.get(entry.pid) !== entry.startKey;
      if (isNew) this.#livelyUntil = now + LIVELY_MS;
      if (looks.has(entry.pid) || isNew || thorough) this.#lookAt(win32, entry, looks);
    }
    this.#known = known;
    if (thorough) this.#reconcileAt = now + this.#context.reconcileMs;
    this.#letGo(win32, looks);
    this.#sink?.observe({ type: 'looks', cause, atMs: now, looks });
  }

  #lookAt(win32: Win32, entry: SnapshotEntry, looks: Map<number, Look>): void {
    const watched = looks.has(entry.pid);
    const held = this.#held.get(entry.pid);
    if (held && !win32.hasExited(held.handle)) {
      looks.set(entry.pid, this.#named(entry, held));
      return;
    }
    const handle = win32.open(entry.pid);
    const look = handle === null ? this.#unopened(entry) : this.#read(win32, entry, handle);
    if (look.is === 'game' || watched) looks.set(entry.pid, look);
    if (handle === null) return;
    if (look.is === 'game') this.#hold(win32, { handle, ...look.sighting });
    else win32.close(handle);
  }

  /** Not ours to open, or gone by now: when it started and its name are all there is, and a game they may tell. */
  #unopened(entry: SnapshotEntry): Look {
    return this.#judge(entry, { path: null, command: null, user: () => null });
  }

  #read(win32: Win32, entry: SnapshotEntry, handle: Handle): Look {
    if (win32.hasExited(handle)) return { is: 'gone' };
    const path = win32.imagePath(handle);
    const command = this.#context.rules().mayMatch(path ?? entry.name) ? win32.commandLine(handle) : null;
    // The pid may be another's since the snapshot: who is held is who is meant.
    const startKey = win32.creationTime(handle) ?? entry.startKey;
    return this.#judge({ ...entry, startKey }, { path, command, user: () => win32.account(handle) });
  }

  #judge(entry: SnapshotEntry, read: Readable): Look {
    const { pid, parentPid, startKey } = entry;
    const { path, command } = read;
    const match = this.#context.rules().match(imageOf(entry, path, command));
    if (!match) return { is: 'other', startKey };
    const now = this.#context.clock.monotonic();
    const startedWallMs = Number((BigInt(startKey) - EPOCH_1970) / 10_000n);
    const startedAwakeMs = Math.min(now, now - (this.#options.wallNow() - startedWallMs));
    const process = { pid, startKey, ...match, path, command, user: read.user(), startedAwakeMs };
    return { is: 'game', sighting: { process, parentPid } };
  }

  /** A game whose handle is held is the same process as before; only the rules may have changed. */
  #named(entry: SnapshotEntry, { process, parentPid }: Held): Look {
    const match = this.#context.rules().match(imageOf(entry, process.path, process.command));
    if (!match) return { is: 'other', startKey: entry.startKey };
    return { is: 'game', sighting: { process: { ...process, ...match }, parentPid } };
  }

  #hold(win32: Win32, held: { handle: Handle; process: GameProcess; parentPid: number }): void {
    const before = this.#held.get(held.process.pid);
    this.#held.set(held.process.pid, held);
    if (before) this.#discarded.push(before.handle);
    this.#rewait(win32);
  }

  /** The handles of what is no game any more are not needed. */
  #letGo(win32: Win32, looks: ReadonlyMap<number, Look>): void {
    for (const [pid, { handle }] of this.#held) {
      const look = looks.get(pid);
      if (look?.is === 'game') continue;
      this.#held.delete(pid);
      this.#discarded.push(handle);
      this.#rewait(win32);
    }
  }

  #rewait(win32: Win32): void {
    if (this.#wakeEvent !== null) win32.setEvent(this.#wakeEvent);
  }

  async #waitForExits(win32: Win32, wake: Handle): Promise<void> {
    while (this.#sink) {
      const held = [...this.#held.values()].slice(0, WAIT_MAX - 1);
      await win32.waitAny([wake, ...held.map(({ handle }) => handle)], WAIT_SLICE_MS);
      const atMs = this.#context.clock.monotonic();
      this.#closeDiscarded(win32);
      for (const { handle, process } of held) {
        if (this.#held.get(process.pid)?.handle !== handle || !win32.hasExited(handle)) continue;
        this.#held.delete(process.pid);
        win32.close(handle);
        this.#sink?.observe({ type: 'exit', pid: process.pid, atMs, successor: null });
      }
    }
  }
}

function imageOf(entry: SnapshotEntry, path: string | null, command: string | null) {
  return { exe: path ?? entry.name, argv: command === null ? [] : [command] };
}
