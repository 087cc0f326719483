/** Tells when the agent becomes degraded and when it is well again, once each time (agent_event). */
import type { EventBody } from '../protocol/events.ts';
import type { TickingClock } from '../protocol/ports.ts';
import { agentEvent } from './agent-event.ts';

/** How often: what does not work is told some seconds later anyway, and a look takes as long as all else of an idle second. */
const LOOK_EVERY_SECONDS = 2;
/** So long after the second before, ms, it is a process that was stopped as a whole: its parts have a second to catch up. */
const STOPPED_MS = 2_000;

/** What is degraded again so soon after it recovered, ms, is a part that fails over and over: not each time is news. */
const AGAIN_WITHIN_MS = 10 * 60_000;
/** It has recovered then when all has worked for so long, ms. */
const CALM_MS = 60_000;

/** Returns its stop. */
export function monitorHealth(
  clock: TickingClock,
  reasons: () => readonly string[],
  tell: (event: EventBody) => void,
): () => void {
  let told: readonly string[] = [];
  let troubledMs = Number.NEGATIVE_INFINITY;
  let recoveredMs = Number.NEGATIVE_INFINITY;
  let isAgain = false;
  let tickedMs = clock.monotonic();
  let secondsLeft = LOOK_EVERY_SECONDS;
  /** Once between two looks: a main thread that is late each second must not be silent for ever. */
  let putOff = false;

  function tick(): void {
    const wasStopped = clock.monotonic() - tickedMs > STOPPED_MS;
    tickedMs = clock.monotonic();
    secondsLeft -= 1;
    if (wasStopped && !putOff) {
      putOff = true;
      secondsLeft = 1;
    }
    if (secondsLeft > 0) return;
    secondsLeft = LOOK_EVERY_SECONDS;
    putOff = false;
    look();
  }

  function look(): void {
    const now = reasons();
    const atMs = clock.monotonic();
    if (now.length > 0) {
      if (told.length === 0) isAgain = atMs - recoveredMs < AGAIN_WITHIN_MS;
      troubledMs = atMs;
    } else if (isAgain && atMs - troubledMs < CALM_MS) return;
    if (now.length > 0 && now.some((reason) => !told.some((old) => sameTrouble(old, reason)))) {
      tell(agentEvent('agent_degraded', now.join(' '), { reasons: now }));
    } else if (now.length === 0 && told.length > 0) {
      recoveredMs = atMs;
      tell(agentEvent('agent_recovered', 'All parts of the agent work again.', { reasons: told }));
    }
    told = now;
  }

  return clock.everySecond(tick);
}

/** The same sentence with other numbers in it is the same trouble. */
function sameTrouble(a: string, b: string): boolean {
  return a.replace(/\d+/g, '#') === b.replace(/\d+/g, '#');
}
