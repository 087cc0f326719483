/**
 * Is a thread alive? The rule is pure; around it stand the two beats that are not an actor's own: main's, and the
 * watch that one actor keeps over main, so that a stuck main thread ends the process and the service manager starts
 * it again. A watcher that was late itself (the machine slept, the process was stopped) has no right to judge.
 */
import type { RuntimeClock } from './clock.ts';
import { Vitals } from './vitals.ts';

/** How often a thread beats, ms. */
export const BEAT_MS = 1_000;
/** A worker without a beat for so long hangs, ms. */
export const HANG_AFTER_MS = 2_500;
/** Main without a beat for so long is stuck, ms: longer, since the remedy is to end the process. */
export const MAIN_STUCK_AFTER_MS = 10_000;
/** A watcher that looks so much later than it meant to was asleep itself, ms. */
export const WATCHER_LATE_MS = 1_000;

/** What a watcher remembers between two looks; monotonic ms. */
export interface Watch {
  /** When it meant to look again. */
  readonly dueMs: number;
  /** Until then nobody is judged. */
  readonly graceUntilMs: number;
}

export type Verdict = 'alive' | 'hung' | 'grace';

/** A watch that starts now and means to look at `dueMs`. */
export function startWatch(dueMs: number): Watch {
  return { dueMs, graceUntilMs: Number.NEGATIVE_INFINITY };
}

/** Notes that the watcher looks now. If it is late, everybody gets a fresh grace of `limitMs`. */
export function look(watch: Watch, nowMs: number, limitMs: number): Watch {
  const late = nowMs - watch.dueMs > WATCHER_LATE_MS;
  return late ? { ...watch, graceUntilMs: nowMs + limitMs } : watch;
}

/** The verdict over a thread whose last beat was `beatAgoMs` ago. */
export function judge(watch: Watch, nowMs: number, beatAgoMs: number, limitMs: number): Verdict {
  if (beatAgoMs <= limitMs) return 'alive';
  return nowMs < watch.graceUntilMs ? 'grace' : 'hung';
}

/** Beats for the main thread, once a second. Give `buffer` to the actor that watches main; `stop` ends the watch too. */
export function startMainBeat(clock: RuntimeClock): { readonly buffer: SharedArrayBuffer; stop(): void } {
  const vitals = new Vitals();
  vitals.beat(clock.monotonic());
  const stopBeat = clock.everySecond(() => vitals.beat(clock.monotonic()));
  return {
    buffer: vitals.buffer,
    stop() {
      stopBeat();
      vitals.beat(0);
    },
  };
}

/** One look at main per call, from the watching thread, about every `BEAT_MS`; true: main is stuck. */
export function mainWatcher(buffer: SharedArrayBuffer, startMs: number): (nowMs: number) => boolean {
  return beatWatcher(buffer, startMs, { everyMs: BEAT_MS, limitMs: MAIN_STUCK_AFTER_MS });
}

/**
 * One look at a thread per call, about every `everyMs`; true: it has not beaten for `limitMs`. A thread that has not begun
 * to beat, or has said that it beats no more, is not judged.
 */
export function beatWatcher(
  buffer: SharedArrayBuffer,
  startMs: number,
  { everyMs, limitMs }: { readonly everyMs: number; readonly limitMs: number },
): (nowMs: number) => boolean {
  const watched = new Vitals(buffer);
  let watch = startWatch(startMs + everyMs);
  return (nowMs) => {
    watch = look(watch, nowMs, limitMs);
    const beat = watched.lastBeatMs;
    const hung = beat !== 0 && judge(watch, nowMs, nowMs - beat, limitMs) === 'hung';
    watch = { ...watch, dueMs: nowMs + everyMs };
    return hung;
  };
}

/** Ends the process at once: a main thread that is stuck cannot be asked. */
export function killOwnProcess(): void {
  process.kill(process.pid, 'SIGKILL');
}
