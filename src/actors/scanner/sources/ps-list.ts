/**
 * The list of processes as `ps` gives it, for macOS and whatever has nothing better. One list at a time: while one
 * is late none is begun, and what has not come in time counts as failed, never as empty.
 */
import type { ProcessDescriptor } from 'ps-list';
import { commandLine, joinedCommandLine, keptCommand } from '../../../protocol/command-line.ts';
import { isGone, linuxStartKey, parseProcStat } from '../../../protocol/proc-stat.ts';
import type { AccountName } from '../accounts.ts';
import type { Look, LookCause } from '../behavior.ts';
import type { ProcessSource, SourceContext, SourceSink } from '../source.ts';
import { latestStart } from '../start-time.ts';

/** A list costs tens of ms of CPU here and in its child: not oftener than this. */
const INTERVAL_MIN_MS = 1_000;
export const LIST_TIMEOUT_MS = 10_000;

export interface PsListOptions {
  readonly context: SourceContext;
  readonly list: () => Promise<readonly ProcessDescriptor[]>;
  readonly accountName: AccountName;
  /** Linux: a file of /proc/PID, '' when it is gone. Identity and arguments then are those of the other sources. */
  readonly readProc: ((pid: number, file: 'stat' | 'cmdline') => string) | null;
  /** Epoch ms. */
  readonly wallNow: () => number;
}

export class PsListSource implements ProcessSource {
  readonly name = 'ps-list';
  readonly #options: PsListOptions;
  readonly #context: SourceContext;
  #sink: SourceSink | null = null;
  #stopTimers = new Set<() => void>();
  /** The list that has not come yet. */
  #pending: Promise<readonly ProcessDescriptor[]> | null = null;
  #seenAt = Number.NEGATIVE_INFINITY;

  constructor(options: PsListOptions) {
    this.#options = options;
    this.#context = options.context;
  }

  get lookEveryMs(): number {
    return Math.max(INTERVAL_MIN_MS, this.#context.pollIntervalMs);
  }

  async start(sink: SourceSink): Promise<void> {
    this.#sink = sink;
    try {
      await this.#scan('rescan');
    } catch (thrown) {
      this.stop();
      throw thrown;
    }
    this.#scanLater();
  }

  async rescan(cause: LookCause): Promise<void> {
    // A list under way was asked for before: what it shows was read under the rules that hold when it is told.
    try {
      await this.#scan(cause);
    } catch (thrown) {
      this.#sink?.failed(message(thrown));
    }
  }

  look(): Promise<void> {
    return this.rescan('watch');
  }

  stop(): void {
    this.#sink = null;
    for (const stop of this.#stopTimers) stop();
    this.#stopTimers.clear();
  }

  #scanLater(): void {
    this.#after(this.lookEveryMs, async () => {
      await this.rescan('watch');
      if (this.#sink) this.#scanLater();
    });
  }

  async #scan(cause: LookCause): Promise<void> {
    const list = await this.#inTime();
    const looks = new Map<number, Look>(this.#context.watched().map((pid) => [pid, { is: 'gone' }]));
    for (const seen of list) {
      const watched = looks.has(seen.pid);
      const look = this.#lookAt(seen, watched);
      if (look.is === 'game' || watched) looks.set(seen.pid, look);
    }
    const now = this.#context.clock.monotonic();
    const lapsed = now - this.#seenAt > 2 * LIST_TIMEOUT_MS;
    this.#seenAt = now;
    this.#sink?.observe({ type: 'looks', cause, atMs: lapsed ? null : now, looks, complete: true });
  }

  async #inTime(): Promise<readonly ProcessDescriptor[]> {
    this.#pending ??= this.#options.list().finally(() => {
      this.#pending = null;
    });
    const pending = this.#pending;
    return await new Promise((resolve, reject) => {
      const cancel = this.#after(LIST_TIMEOUT_MS, () =>
        reject(new Error('the list of processes takes too long')),
      );
      pending.then(resolve, reject).finally(cancel);
    });
  }

  #lookAt(seen: ProcessDescriptor, watched: boolean): Look {
    const { pid } = seen;
    const { readProc, accountName } = this.#options;
    const rules = this.#context.rules();
    const path = seen.path || null;
    const exe = path ?? seen.name;
    if (!watched && !rules.mayMatch(exe)) return { is: 'other', startKey: null };
    const stat = readProc && parseProcStat(readProc(pid, 'stat'));
    if (readProc && (!stat || isGone(stat))) return { is: 'gone' };
    // Its first thread has ended and others run on: of those `ps` says nothing.
    if (stat?.state === 'Z') return { is: 'unreadable' };
    const startKey = stat
      ? linuxStartKey(this.#context.bootId, stat.startTicks)
      : String(seen.startTime?.getTime() ?? 'unknown');
    // ps joins the arguments; only what Wine and interpreters run is taken from them.
    const said = readProc ? commandLine(readProc(pid, 'cmdline')) : joinedCommandLine(seen.cmd ?? '');
    const match = rules.match({ exe, ...said });
    const execution = stat ? stat.execution : null;
    if (!match) return { is: 'other', startKey, execution };
    const startedAwakeMs = this.#latestStart(seen.startTime, stat?.startTicks);
    const command = readProc || seen.cmd ? keptCommand(said.text) : null;
    const user = seen.uid === undefined ? null : accountName(seen.uid);
    const process = { pid, startKey, ...match, path, command, user, startedAwakeMs, execution };
    return { is: 'game', sighting: { process, parentPid: seen.ppid } };
  }

  /** The latest moment at which it can have started, awake clock: ticks are 10 ms, ps tells seconds. */
  #latestStart(startTime: Date | undefined, startTicks: string | undefined): number {
    const now = this.#context.clock.monotonic();
    if (startTicks !== undefined) return latestStart(startTicks, now, this.#context.lastClocks);
    const ageMs = startTime ? this.#options.wallNow() - startTime.getTime() - 1_000 : 0;
    return now - Math.max(0, ageMs);
  }

  #after(ms: number, fn: () => void): () => void {
    const stop = this.#context.clock.after(ms, () => {
      this.#stopTimers.delete(stop);
      fn();
    });
    this.#stopTimers.add(stop);
    return () => {
      stop();
      this.#stopTimers.delete(stop);
    };
  }
}

function message(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
