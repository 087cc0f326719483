/** What the agent tells of itself. Pure. */
import type { EventBody } from '../protocol/events.ts';

/** An `agent_event`: one sentence for a person, and numbers. */
export function agentEvent(
  event_type: Extract<EventBody, { type: 'agent_event' }>['event_type'],
  message: string,
  numbers: Readonly<Record<string, unknown>> = {},
): EventBody {
  return { type: 'agent_event', event_type, data: { message, ...numbers } };
}
