/**
 * The executor as main holds it: a piscina pool that has no thread while nothing is to be closed. Every close
 * settles with a report, whatever happens to its thread; it never rejects. However many games there are, none waits long
 * for the others: what waits when a thread gets free goes to it together. None is refused for their number: a process
 * is closed once at a time (app/closing.ts), so that no more wait than games run.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Piscina } from 'piscina';
import type { CloseReport } from '../../protocol/commands.ts';
import type { CloseResult, CloseTask } from '../../protocol/messages.ts';
import { Vitals } from '../../runtime/vitals.ts';
import { FORCE_WAIT_MS } from './close.ts';
import { Overdue, watchCloses } from './watch.ts';

/** Up to so many closes have a thread each, so that one that hangs takes no other with it; more of them share. */
const MAX_THREADS = 8;
/** What a thread is given together has command lines of no more characters: they stay on its heap until it is done. */
const MAX_SHARED_CHARS = 8_000_000;
/** How long a thread lives on with nothing to do, ms: a relaunch within it finds a warm thread. */
const IDLE_MS = 10_000;
/** What a close may take beyond its own waits, ms: the start of a thread on a busy machine. */
const DEADLINE_SLACK_MS = 5_000;
/**
 * piscina costs 3 MB: it is loaded when the first game is closed. Found now and loaded by require, since an import that
 * fails once (for want of a descriptor, say) and a package that is once not found fail for the rest of the process's life.
 */
const require = createRequire(import.meta.url);
const PISCINA = require.resolve('piscina');
/** What a thread's heap may grow to, MB: it needs some 5, and what it shares. */
const HEAP_MB = 64;

/** Closes as their thread gets them, and the memory to beat into once it has begun. */
export interface WatchedCloses {
  readonly tasks: readonly CloseTask[];
  readonly beat: SharedArrayBuffer;
}

/** A close that waits for a thread, or is with one. */
interface Asked {
  readonly task: CloseTask;
  /** performance.now() */
  readonly at: number;
  /**
   * A thread may be given so many together with it. When one ended under several, perhaps because of one of them, what it had
   * is shared out anew, until that one is alone: each by itself at once would have a crowd wait for minutes.
   */
  readonly most: number;
  readonly settle: (result: CloseResult) => void;
}

export interface Executor {
  /** Closes one process and what is part of it. Settles always: a missed deadline is a report that says `failed`. */
  close(task: CloseTask): Promise<CloseResult>;
  /** Ends the threads; what was under way is reported as failed. */
  stop(): Promise<void>;
  state(): { readonly threads: number; readonly queued: number; readonly running: number };
}

export interface ExecutorOptions {
  /** The built executor.worker.js. */
  readonly file: URL;
  /** What a close may take beyond its own waits, ms. */
  readonly slackMs?: number;
}

export function createExecutor(options: ExecutorOptions): Executor {
  const slackMs = options.slackMs ?? DEADLINE_SLACK_MS;
  let pool: Piscina | null = null;
  let stopped = false;
  let unsettled = 0;
  let busy = 0;
  /** In the order in which they were asked for. */
  const waiting: Asked[] = [];

  function load(): Piscina {
    const { Piscina } = require(PISCINA) as typeof import('piscina');
    const threads = new Piscina({
      filename: fileURLToPath(options.file),
      minThreads: 0,
      maxThreads: MAX_THREADS,
      idleTimeout: IDLE_MS,
      atomics: 'disabled',
      trackUnmanagedFds: false,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    });
    // A thread that dies fails its own tasks; the event itself has nothing to add.
    threads.on('error', () => {});
    return threads;
  }

  function shareOut(): void {
    while (busy < MAX_THREADS && waiting.length > 0) {
      const share = Math.ceil(waiting.length / (MAX_THREADS - busy));
      void carryOut(waiting.splice(0, Math.max(1, Math.min(share, together()))));
    }
  }

  /** How many of those that wait a thread may be given as one. */
  function together(): number {
    let chars = 0;
    let most = Number.POSITIVE_INFINITY;
    const end = waiting.findIndex((asked, before) => {
      chars += asked.task.target.command?.length ?? 0;
      most = Math.min(most, asked.most);
      return before >= most || chars > MAX_SHARED_CHARS;
    });
    return end === -1 ? waiting.length : end;
  }

  async function carryOut(batch: readonly Asked[]): Promise<void> {
    busy += 1;
    try {
      const reports = await inThread(batch.map(({ task }) => task));
      for (const [i, asked] of batch.entries()) asked.settle(reports[i] ?? failed(asked, 'no report'));
    } catch (error) {
      const again = batch.length > 1 && !stopped && !(error instanceof Overdue);
      const most = Math.ceil(batch.length / MAX_THREADS);
      if (again) waiting.push(...batch.map((asked) => ({ ...asked, most })));
      else for (const asked of batch) asked.settle(failed(asked, error));
    } finally {
      busy -= 1;
      shareOut();
    }
  }

  async function inThread(tasks: readonly CloseTask[]): Promise<readonly CloseResult[]> {
    pool ??= load();
    const { buffer: beat } = new Vitals();
    const waitMs = Math.max(...tasks.map((task) => task.waitMs));
    const watch = watchCloses(beat, waitMs + FORCE_WAIT_MS + slackMs);
    try {
      return await pool.run({ tasks, beat } satisfies WatchedCloses, { name: 'close', signal: watch.signal });
    } catch (error) {
      // Piscina says no more than that it was aborted.
      throw watch.signal.aborted ? watch.signal.reason : error;
    } finally {
      watch.stop();
    }
  }

  return {
    async close(task) {
      const at = performance.now();
      if (stopped) return failed({ task, at }, STOPPING);
      unsettled += 1;
      const result = await new Promise<CloseResult>((settle) => {
        waiting.push({ task, at, most: Number.POSITIVE_INFINITY, settle });
        // What is asked for in one turn is shared out together.
        queueMicrotask(shareOut);
      });
      unsettled -= 1;
      return result;
    },
    async stop() {
      stopped = true;
      for (const asked of waiting.splice(0)) asked.settle(failed(asked, STOPPING));
      await pool?.destroy();
    },
    state() {
      const queued = waiting.length;
      return { threads: pool?.threads.length ?? 0, queued, running: unsettled - queued };
    },
  };
}

const STOPPING = new Error('the agent is stopping');

function failed({ task, at }: Pick<Asked, 'task' | 'at'>, error: unknown): CloseReport {
  return {
    pid: task.target.pid,
    name: task.target.name,
    outcome: 'failed',
    waited_ms: Math.round(performance.now() - at),
    error: error instanceof Error ? error.message : String(error),
  };
}
