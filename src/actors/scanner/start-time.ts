/** When a process began, on the clock that minutes are counted on: Linux tells it on one that runs on in sleep. */
import type { ClockPair } from '../../protocol/messages.ts';

/** USER_HZ: the unit of the start in /proc/PID/stat, 100 a second on every architecture that Node runs on. */
const TICK_MS = 10;

/**
 * The latest moment at which it can have started, awake clock. The machine may have slept at any time since the boot, and
 * what it had slept by the last reading it has slept for every later start too.
 */
export function latestStart(startTicks: string, nowAwakeMs: number, last: ClockPair | null): number {
  const startElapsedMs = Number(startTicks) * TICK_MS + TICK_MS;
  if (!last) return Math.min(startElapsedMs, nowAwakeMs);
  // The clocks are read to 10 ms: what is less than nothing is no sleep.
  const sleptMs = Math.max(0, last.elapsedMs - last.awakeMs);
  return startElapsedMs < last.elapsedMs
    ? Math.min(startElapsedMs, last.awakeMs, nowAwakeMs)
    : Math.min(startElapsedMs - sleptMs, nowAwakeMs);
}
