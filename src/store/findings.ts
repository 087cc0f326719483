/** Damage and loss as the agent events that tell them (contract D7, D11). Pure. */
import type { AgentEvent } from '../protocol/events.ts';
import type { Damage } from './inspect.ts';

/** What the check at the start found. */
export type Finding = AgentEvent;

export interface FindingFacts {
  readonly damage: readonly Damage[];
  readonly savedEvents: number;
  readonly savedRecords: number;
  readonly brokenRows: number;
  /** Events whose offsets are known to be lost. */
  readonly lostAtLeast: number;
  /** null: there may be more. */
  readonly lost: number | null;
  /** The name the damaged file was given; null: there was none. */
  readonly keptAside: string | null;
}

const SENTENCES: Readonly<Record<Damage, string>> = {
  deleted: 'the database was deleted',
  unreadable: 'the database cannot be read, or not all of it',
  altered: 'rows of the database are not as they were written',
  rolled_back: 'the database is older than what was safely stored',
  touched: 'the database was written to while the agent did not run',
  key_lost: 'the key that seals the database is gone',
  high_water_lost: 'the file that says how far the log had come is gone',
};

/** `tamper_suspected` always; `events_lost` too when events are, or may be, lost. */
export function findingsOf(facts: FindingFacts): Finding[] {
  const data = {
    found: facts.damage,
    saved_events: facts.savedEvents,
    saved_records: facts.savedRecords,
    broken_rows: facts.brokenRows,
    lost: facts.lost,
    lost_at_least: facts.lostAtLeast,
    kept_aside: facts.keptAside,
  };
  const what = facts.damage.map((d) => SENTENCES[d]).join(', ');
  const tamper: Finding = {
    type: 'agent_event',
    event_type: 'tamper_suspected',
    data: { message: `At the start ${what}; ${facts.savedEvents} events were saved.`, ...data },
  };
  if (facts.lost === 0) return [tamper];
  const count = facts.lost === null ? `At least ${facts.lostAtLeast}` : `${facts.lost}`;
  const lost: Finding = {
    type: 'agent_event',
    event_type: 'events_lost',
    data: { message: `${count} events were lost with the database.`, ...data },
  };
  return [tamper, lost];
}

/** Of events that were not written before the end of a run; null: it was killed before it could count them. */
export function lossAtStop(lost: number | null): AgentEvent[] {
  const which = lost === null ? 'Events' : `${lost} events`;
  const message = `${which} still waited for the disk when the agent ended, and are lost.`;
  return lost === 0 ? [] : [lossEvent('events_lost', message, { lost })];
}

export function lossEvent(
  event_type: 'events_lost' | 'tamper_suspected',
  message: string,
  numbers: Readonly<Record<string, unknown>>,
): AgentEvent {
  return { type: 'agent_event', event_type, data: { message, ...numbers } };
}
