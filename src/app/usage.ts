/** The history that `GET /desktop/usage` tells: one entry for each child and day of a range (contract section 4). Pure. */
import { Temporal } from 'temporal-polyfill';
import type { SessionData } from '../protocol/events.ts';
import type { UsageRow } from '../protocol/messages.ts';
import { type Problem, problem } from '../protocol/problems.ts';

const DEFAULT_DAYS = 7;
const MOST_DAYS = 366;

export interface UsageDay {
  readonly day: string;
  readonly child_profile: string;
  readonly used_minutes: number;
  /** The limit in force that day, extensions included; null: none, or nothing was recorded. */
  readonly limit_minutes: number | null;
  /** Charged minutes per game. */
  readonly games: Readonly<Record<string, number>>;
  /** The sessions that touched the day. */
  readonly sessions: readonly SessionData[];
}

export interface DayRange {
  readonly from: string;
  readonly to: string;
}

/** The days asked for: the last seven when nothing is said. A range that is turned round or too long is a problem. */
export function dayRange(
  from: string | undefined,
  to: string | undefined,
  today: string,
): DayRange | Problem {
  const last = Temporal.PlainDate.from(to ?? (from && from > today ? from : today));
  const first = from ? Temporal.PlainDate.from(from) : last.subtract({ days: DEFAULT_DAYS - 1 });
  const days = first.until(last).days + 1;
  if (days < 1)
    return problem('schema-mismatch', '"from" is after "to".', {
      errors: [{ path: 'from', message: 'is after "to"' }],
    });
  if (days > MOST_DAYS) {
    const message = `the range has ${days} days; ${MOST_DAYS} is the most`;
    return problem('schema-mismatch', `Ask for fewer days: ${message}.`, {
      errors: [{ path: 'from', message }],
    });
  }
  return { from: first.toString(), to: last.toString() };
}

/** Every day of the range for every child, oldest first, days without play included. */
export function usageDays(
  range: DayRange,
  children: readonly string[],
  usage: readonly UsageRow[],
  sessions: readonly SessionData[],
): UsageDay[] {
  return days(range).flatMap((day) =>
    children.map((child) => {
      const rows = usage.filter((row) => row.child === child && row.day === day);
      const whole = rows.find((row) => row.game === '');
      const limit = whole?.limitMinutes ?? null;
      const games = rows
        .filter((row) => row.game !== '')
        .map((row) => [row.game, minutes(row.usedMs)] as const);
      return {
        day,
        child_profile: child,
        used_minutes: minutes(whole?.usedMs ?? 0),
        limit_minutes: limit === null ? null : minutes(limit * 60_000),
        games: Object.fromEntries(games),
        sessions: sessions.filter((s) => s.child_profile === child && touches(s, day)),
      };
    }),
  );
}

function days(range: DayRange): string[] {
  const first = Temporal.PlainDate.from(range.from);
  const count = first.until(Temporal.PlainDate.from(range.to)).days + 1;
  return Array.from({ length: count }, (_, i) => first.add({ days: i }).toString());
}

/** `by_day` says it where a session touched several days; the store gave only sessions of the range otherwise. */
function touches(session: SessionData, day: string): boolean {
  if (session.by_day) return day in session.by_day;
  return session.time_start.slice(0, 10) === day;
}

/** To the third decimal, like every other figure a client sees. */
function minutes(ms: number): number {
  return Math.round(ms / 60) / 1_000;
}
