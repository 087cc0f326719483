/** Looks now and then at what the process costs, and has done what load-rule.ts says. */
import type { TickingClock } from '../protocol/ports.ts';
import {
  initialLoad,
  LOAD_LIMITS,
  type Load,
  type LoadAction,
  type LoadLimit,
  loadReasons,
  stepLoad,
} from './load-rule.ts';

/** How often: the shortest limit holds for three looks. */
const LOOK_EVERY_SECONDS = 5;

export interface LoadWatchOptions {
  readonly clock: TickingClock;
  /** CPU since the look before, and memory now. */
  readonly measure: () => Load;
  /** A warning is what `reasons` says from then on; the others are for the caller to do. */
  readonly act: (action: LoadAction, reason: string) => void;
  readonly limits?: readonly LoadLimit[] | undefined;
}

export interface LoadWatch {
  /** Which limits are passed, one sentence each. */
  reasons(): readonly string[];
  stop(): void;
}

export function watchLoad({ clock, measure, act, limits = LOAD_LIMITS }: LoadWatchOptions): LoadWatch {
  let state = initialLoad(limits);

  function look(): void {
    const [next, actions] = stepLoad(state, limits, measure(), clock.monotonic());
    state = next;
    for (const action of actions) act(action, loadReasons(state, limits).join(' '));
  }

  return { reasons: () => loadReasons(state, limits), stop: clock.everySecond(look, LOOK_EVERY_SECONDS) };
}
