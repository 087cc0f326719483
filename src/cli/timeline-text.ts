/** A simulation as text for a terminal: a line for each thing that would happen, by day, and the minutes used. Pure. */
import type { SimulatedEvent, Simulation } from '../actors/session/simulate.ts';
import type { UsageDay } from '../app/usage.ts';
import type { UsageRow } from '../protocol/messages.ts';
import { type Colour, columns, type Paint } from './columns.ts';
import { reportText, shortDay } from './report-text.ts';

const MARKS: Readonly<Record<SimulatedEvent['kind'], readonly [mark: string, colour: Colour]>> = {
  scenario: ['▸', 'dim'],
  event: ['·', 'green'],
  close: ['✕', 'red'],
};

/** `timeZone`: the scenario's, in which all its times are. */
export function timelineText(
  title: string,
  { events, usage }: Simulation,
  timeZone: string,
  paint: Paint,
): string {
  const children = new Set(usage.map((row) => row.child));
  const days = [...new Set(events.map((event) => event.at.slice(0, 10)))];
  const blocks = days.map((day) => {
    const rows = events
      .filter((event) => event.at.startsWith(day))
      .map((event) => line(event, children.size > 1, paint));
    return [paint('bold', shortDay(day)), ...columns(rows)].join('\n');
  });
  const report = reportText(usedDays(usage), { timeZone, ownZone: timeZone, paint });
  return [...(title ? [paint('bold', title)] : []), ...blocks, ...(report ? [report] : [])].join('\n\n');
}

function line({ at, kind, child, sentence, what }: SimulatedEvent, several: boolean, paint: Paint): string[] {
  const [mark, colour] = MARKS[kind];
  const told = kind === 'scenario' ? paint('dim', sentence) : sentence;
  const name = what === 'time_limit_warning' ? paint('yellow', mark) : paint(colour, mark);
  return [`  ${at.slice(11, 19)}`, ...(several ? [child ?? ''] : []), `${name} ${told}`];
}

/** The ledger's rows as the days of a report, without sessions: the timeline has told them. */
export function usedDays(usage: readonly UsageRow[]): UsageDay[] {
  return usage
    .filter((row) => row.game === '')
    .sort((a, b) => a.child.localeCompare(b.child) || a.day.localeCompare(b.day))
    .map(({ child, day, usedMs, limitMinutes }) => {
      const games = usage.filter((row) => row.child === child && row.day === day && row.game !== '');
      return {
        day,
        child_profile: child,
        used_minutes: usedMs / 60_000,
        limit_minutes: limitMinutes,
        games: Object.fromEntries(games.map((row) => [row.game, row.usedMs / 60_000])),
        sessions: [],
      };
    });
}
