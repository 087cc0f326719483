/**
 * While no scanner looks, main itself asks the system once a second whether what was told still runs: a game that ends then is
 * charged to the last look that saw it (contract E1, T3), and one that plays on is charged for a reason. It sees ends only: a
 * start, or another program in the same process, waits for the scanner.
 */
import type { ProcessIdentity } from '../protocol/messages.ts';
import type { TickingClock, ToldProcess } from '../protocol/ports.ts';
import type { Presence } from './presence.ts';
import { processKey } from './process-key.ts';

/** So many are asked at a look, some ms of main's time; of more each waits for its turn. */
export const ASKED_AT_A_LOOK = 300;

export interface ToldWatchOptions {
  readonly clock: TickingClock;
  /** Nobody else sees what ends. */
  readonly isNeeded: () => boolean;
  readonly running: () => readonly ToldProcess[];
  readonly presence: (identity: ProcessIdentity) => Presence;
  /** It is gone; `seenAwakeMs`: the last look that saw it run, null: there was none. */
  readonly gone: (identity: ProcessIdentity, seenAwakeMs: number | null) => void;
}

/** Returns what stops it. */
export function watchTold({ clock, isNeeded, running, presence, gone }: ToldWatchOptions): () => void {
  let turn = 0;
  /** Since nobody else looks. */
  const seen = new Map<string, number>();

  function look(): void {
    if (!isNeeded()) {
      seen.clear();
      return;
    }
    const asked = turnOf(running(), turn, ASKED_AT_A_LOOK);
    turn += asked.length;
    for (const { process } of asked) {
      const key = processKey(process);
      const found = presence(process);
      if (found === 'runs') seen.set(key, clock.monotonic());
      if (found !== 'gone') continue;
      gone(process, seen.get(key) ?? null);
      seen.delete(key);
    }
  }

  return clock.everySecond(look);
}

/** `count` of them from the one at `from` on, as if they stood in a circle. */
export function turnOf<T>(all: readonly T[], from: number, count: number): readonly T[] {
  const first = all.length === 0 ? 0 : from % all.length;
  return [...all.slice(first), ...all.slice(0, first)].slice(0, count);
}
