/** Tells when the agent becomes degraded and when it is well again, once each time (agent_event). */
import type { EventBody } from '../protocol/events.ts';
import type { Clock } from '../protocol/ports.ts';
import { untilWholeSecond } from '../runtime/clock.ts';
import { agentEvent } from './router.ts';

/** A look that comes so much later than it was meant to finds a process that was stopped as a whole: it says nothing, ms. */
const LATE_MS = 1_000;

/** Looks once a second, so that a failure is told well within five; returns its stop. */
export function monitorHealth(
  clock: Clock,
  reasons: () => readonly string[],
  tell: (event: EventBody) => void,
): () => void {
  let told: readonly string[] = [];
  let dueMs = 0;
  let cancel = () => {};
  plan();

  function plan(): void {
    const pause = untilWholeSecond(clock.monotonic());
    dueMs = clock.monotonic() + pause;
    cancel = clock.after(pause, look);
  }

  function look(): void {
    const isLate = clock.monotonic() - dueMs > LATE_MS;
    plan();
    if (isLate) return;
    const now = reasons();
    if (now.length > 0 && now.some((reason) => !told.some((old) => sameTrouble(old, reason)))) {
      tell(agentEvent('agent_degraded', now.join(' '), { reasons: now }));
    } else if (now.length === 0 && told.length > 0) {
      tell(agentEvent('agent_recovered', 'All parts of the agent work again.', { reasons: told }));
    }
    told = now;
  }

  return () => cancel();
}

/** The same sentence with other numbers in it is the same trouble. */
function sameTrouble(a: string, b: string): boolean {
  return a.replace(/\d+/g, '#') === b.replace(/\d+/g, '#');
}
