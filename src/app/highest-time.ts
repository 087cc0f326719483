/**
 * The latest trusted time ever seen, over restarts: what the `exp` of a signed command is held against (contract K5).
 * The trusted clock follows a clock that was set back at the next day start, and what had expired would hold again.
 * It is kept for the enrolled keys: with another set of keys it starts anew, which is the way out for a parent whose
 * PC once believed in a far future.
 */
import type { ParentKey } from '../protocol/config.ts';
import type { Clock, MetaStore } from '../protocol/ports.ts';

const KEY = 'highest_time';
/** How often it is looked at without being asked, and what is worth a write, ms. */
const EVERY_MS = 60_000;

export interface HighestTime {
  /** Epoch ms; never less than now. */
  ms(): number;
  stop(): void;
}

export function keepHighestTime(
  meta: MetaStore,
  clock: Clock,
  keys: () => readonly ParentKey[],
): HighestTime {
  let kept = read(meta);
  let stopTimer = (): void => {};

  function ms(): number {
    const now = clock.wall();
    const enrolled = keys()
      .map((key) => key.x)
      .sort()
      .join();
    const highest = kept.enrolled === enrolled ? Math.max(kept.ms, now) : now;
    if (enrolled !== kept.enrolled || highest - kept.ms >= EVERY_MS) {
      kept = { enrolled, ms: highest };
      meta.set(KEY, JSON.stringify(kept));
    }
    return highest;
  }

  function watch(): void {
    // Without keys nothing is held against it.
    if (keys().length > 0) ms();
    stopTimer = clock.after(EVERY_MS, watch);
  }

  watch();
  return { ms, stop: () => stopTimer() };
}

function read(meta: MetaStore): { readonly enrolled: string; readonly ms: number } {
  return JSON.parse(meta.get(KEY) ?? '{"enrolled":"","ms":0}') as { enrolled: string; ms: number };
}
