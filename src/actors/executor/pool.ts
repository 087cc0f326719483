/**
 * The executor as main holds it: a piscina pool that has no thread while nothing is to be closed. Every close
 * settles with a report, whatever happens to its thread; it never rejects.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Piscina } from 'piscina';
import type { CloseReport } from '../../protocol/commands.ts';
import type { CloseTask } from '../../protocol/messages.ts';
import { monotonicMs } from '../../runtime/clock.ts';
import { beatWatcher, HANG_AFTER_MS } from '../../runtime/heartbeat.ts';
import { Vitals } from '../../runtime/vitals.ts';
import { FORCE_WAIT_MS } from './close.ts';

/**
 * A close has a thread of its own, so that the thread can be ended with it; games that ignore the asking are closed
 * so many at a time. Threads are started as closes wait for one.
 */
const MAX_THREADS = 8;
/** More than that many closes at once are refused as failed. Piscina's own limit does not count tasks with a signal. */
const MAX_UNSETTLED = 256;
/** How long a thread lives on with nothing to do, ms: a relaunch within it finds a warm thread. */
const IDLE_MS = 10_000;
/** What a close may take beyond its own waits, ms: the start of a thread on a busy machine. */
const DEADLINE_SLACK_MS = 5_000;
/** How often the beat of a close that is under way is looked at, ms. */
const LOOK_EVERY_MS = 250;
/**
 * piscina costs 3 MB: it is loaded when the first game is closed. Found now and loaded by require, since an import that
 * fails once (for want of a descriptor, say) and a package that is once not found fail for the rest of the process's life.
 */
const require = createRequire(import.meta.url);
const PISCINA = require.resolve('piscina');
/** What a thread's heap may grow to, MB: it needs some 5. */
const HEAP_MB = 64;

/** A close as its thread gets it: the task, and the memory to beat into once it has begun. */
export interface WatchedClose {
  readonly task: CloseTask;
  readonly beat: SharedArrayBuffer;
}

export interface Executor {
  /** Closes one process and what is part of it. Settles always: a missed deadline is a report that says `failed`. */
  close(task: CloseTask): Promise<CloseReport>;
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

  function load(): Piscina {
    const { Piscina } = require(PISCINA) as typeof import('piscina');
    const threads = new Piscina({
      filename: fileURLToPath(options.file),
      minThreads: 0,
      maxThreads: MAX_THREADS,
      idleTimeout: IDLE_MS,
      maxQueue: MAX_UNSETTLED,
      atomics: 'disabled',
      trackUnmanagedFds: false,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    });
    // A thread that dies fails its own tasks; the event itself has nothing to add.
    threads.on('error', () => {});
    return threads;
  }

  async function run(task: CloseTask, deadlineMs: number): Promise<CloseReport> {
    if (unsettled > MAX_UNSETTLED) throw new Error(`more than ${MAX_UNSETTLED} processes are being closed`);
    if (stopped) throw new Error('the agent is stopping');
    pool ??= load();
    const { buffer: beat } = new Vitals();
    const watch = watchClose(beat, deadlineMs);
    try {
      return await pool.run({ task, beat } satisfies WatchedClose, {
        name: 'close',
        signal: watch.signal,
      });
    } catch (error) {
      // Piscina says no more than that it was aborted.
      throw watch.signal.aborted ? watch.signal.reason : error;
    } finally {
      watch.stop();
    }
  }

  return {
    async close(task) {
      const startedAt = performance.now();
      const deadlineMs = task.waitMs + FORCE_WAIT_MS + slackMs;
      unsettled += 1;
      try {
        return await run(task, deadlineMs);
      } catch (error) {
        return {
          pid: task.target.pid,
          name: task.target.name,
          outcome: 'failed',
          waited_ms: Math.round(performance.now() - startedAt),
          error: error instanceof Error ? error.message : String(error),
        };
      } finally {
        unsettled -= 1;
      }
    },
    async stop() {
      stopped = true;
      await pool?.destroy();
    },
    state() {
      const queued = pool?.queueSize ?? 0;
      return { threads: pool?.threads.length ?? 0, queued, running: unsettled - queued };
    },
  };
}

/** Aborts, with the reason as an Error, at the deadline or when the beat has stayed out; an abort ends the thread. */
function watchClose(
  beat: SharedArrayBuffer,
  deadlineMs: number,
): { readonly signal: AbortSignal; stop(): void } {
  const ending = new AbortController();
  const isHung = beatWatcher(beat, monotonicMs(), { everyMs: LOOK_EVERY_MS, limitMs: HANG_AFTER_MS });
  const looks = setInterval(() => {
    if (isHung(monotonicMs())) ending.abort(new Error('the executor hung'));
  }, LOOK_EVERY_MS);
  const late = () => ending.abort(new Error(`no answer from the executor within ${deadlineMs} ms`));
  const deadline = setTimeout(late, deadlineMs);
  return {
    signal: ending.signal,
    stop() {
      clearInterval(looks);
      clearTimeout(deadline);
    },
  };
}
