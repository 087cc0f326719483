/**
 * The restart rule as pure functions: which exits are followed by a restart, after how long, and when a child that
 * keeps failing is a crash loop. Failing before ready is counted apart: with start deadlines of seconds it would never
 * fill a window of seconds.
 */
import type { ExitReason } from './actor.ts';

/** `permanent`: always restarted. `transient`: when it failed. `temporary`: never. */
export type RestartPolicy = 'permanent' | 'transient' | 'temporary';

/** The numbers that tune restarts; all times in ms. */
export interface RestartLimits {
  /** More restarts than this within `windowMs` are a crash loop. */
  readonly maxRestarts: number;
  readonly windowMs: number;
  /** Starts in a row that never became ready; so many are a crash loop. */
  readonly maxNeverReady: number;
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** Up for so long without failing: the past is forgotten. */
  readonly healthyAfterMs: number;
  /** How long a crash loop rests before the next try. */
  readonly parkMs: number;
}

export const RESTART_LIMITS: RestartLimits = {
  maxRestarts: 5,
  windowMs: 30_000,
  maxNeverReady: 3,
  firstDelayMs: 100,
  maxDelayMs: 30_000,
  healthyAfterMs: 5 * 60_000,
  // Without it nothing is seen, or nothing limited: whoever can bring it down must not win minutes by it.
  parkMs: 5_000,
};

/** A child's past, as far as it still counts. */
export interface RestartHistory {
  /** When it was restarted, monotonic ms, within the window. */
  readonly restartedAtMs: readonly number[];
  /** Restarts since it was last healthy: the exponent of the backoff. */
  readonly streak: number;
  /** Starts in a row that never became ready. */
  readonly neverReady: number;
  /** Since it was in a crash loop it has not been healthy: the next failure parks it again. */
  readonly onProbation: boolean;
  /** When it became ready; null: it is not. */
  readonly upSinceMs: number | null;
}

export const CLEAN_HISTORY: RestartHistory = {
  restartedAtMs: [],
  streak: 0,
  neverReady: 0,
  onProbation: false,
  upSinceMs: null,
};

export type RestartVerdict =
  | { readonly kind: 'leave' }
  | { readonly kind: 'restart'; readonly delayMs: number }
  | { readonly kind: 'crash_loop'; readonly reason: string };

/** Whether an exit of that kind is followed by a restart at all. */
export function shouldRestart(policy: RestartPolicy, exit: ExitReason): boolean {
  if (policy === 'permanent') return true;
  if (policy === 'temporary') return false;
  return !isNormal(exit);
}

/** Asked to stop, or ended by itself with code 0. */
export function isNormal(exit: ExitReason): boolean {
  return exit.kind === 'stopped' || (exit.kind === 'ended' && exit.code === 0);
}

/** The restart times that the window still sees. */
export function withinWindow(timesMs: readonly number[], nowMs: number, windowMs: number): readonly number[] {
  return timesMs.filter((time) => nowMs - time < windowMs);
}

/** The wait before restart number `streak` (from 0): doubled each time, then half of it fixed and half at random. */
export function backoffMs(streak: number, random: () => number, limits: RestartLimits): number {
  const full = Math.min(limits.maxDelayMs, limits.firstDelayMs * 2 ** streak);
  return Math.round(full / 2 + (full / 2) * random());
}

/** The child is ready. */
export function afterReady(history: RestartHistory, nowMs: number): RestartHistory {
  return { ...history, neverReady: 0, upSinceMs: nowMs };
}

/** The child has exited, or its start failed: what follows, and the past from here on. */
export function afterExit(
  history: RestartHistory,
  exit: ExitReason,
  policy: RestartPolicy,
  nowMs: number,
  random: () => number,
  limits: RestartLimits,
): readonly [RestartHistory, RestartVerdict] {
  const wasReady = history.upSinceMs !== null;
  const healthy = history.upSinceMs !== null && nowMs - history.upSinceMs >= limits.healthyAfterMs;
  const past = healthy ? CLEAN_HISTORY : { ...history, upSinceMs: null };
  if (!shouldRestart(policy, exit)) return [past, { kind: 'leave' }];

  const neverReady = wasReady ? 0 : past.neverReady + 1;
  const recent = withinWindow(past.restartedAtMs, nowMs, limits.windowMs);
  const loop = crashLoop(past.onProbation, neverReady, recent.length, limits);
  if (loop !== null)
    return [
      { ...CLEAN_HISTORY, onProbation: true },
      { kind: 'crash_loop', reason: loop },
    ];
  return [
    { ...past, neverReady, restartedAtMs: [...recent, nowMs], streak: past.streak + 1 },
    { kind: 'restart', delayMs: backoffMs(past.streak, random, limits) },
  ];
}

function crashLoop(
  onProbation: boolean,
  neverReady: number,
  recentRestarts: number,
  limits: RestartLimits,
): string | null {
  if (onProbation) return 'it failed again after a crash loop';
  if (neverReady >= limits.maxNeverReady) return `${neverReady} starts in a row never became ready`;
  if (recentRestarts >= limits.maxRestarts) {
    return `failed after ${recentRestarts} restarts within ${limits.windowMs / 1_000} s`;
  }
  return null;
}
