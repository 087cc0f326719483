/** Looks now and then at what the process costs, and has done what load-rule.ts says. */
import type { Clock } from '../protocol/ports.ts';
import { untilWholeSecond } from '../runtime/clock.ts';
import {
  initialLoad,
  LOAD_LIMITS,
  type Load,
  type LoadAction,
  type LoadLimit,
  loadReasons,
  stepLoad,
} from './load-rule.ts';

/** How often, ms: the shortest limit holds for three looks. */
const LOOK_EVERY_MS = 5_000;

export interface LoadWatchOptions {
  readonly clock: Clock;
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
  let cancel = plan();

  function plan(): () => void {
    return clock.after(untilWholeSecond(clock.monotonic(), LOOK_EVERY_MS), look);
  }

  function look(): void {
    cancel = plan();
    const [next, actions] = stepLoad(state, limits, measure(), clock.monotonic());
    state = next;
    for (const action of actions) act(action, loadReasons(state, limits).join(' '));
  }

  return { reasons: () => loadReasons(state, limits), stop: () => cancel() };
}
