/**
 * The history of a child as text for a terminal: a bar for each day, the games, the sessions with what nobody
 * watched of them. Minutes are told to the minute, times in the zone whose days are told. Pure.
 */
import type { UsageDay } from '../app/usage.ts';
import type { SessionData } from '../protocol/events.ts';
import { columns, type Paint } from './columns.ts';

export interface ReportLook {
  /** The agent's zone: its days are told, so are times of day. */
  readonly timeZone: string;
  /** The reader's own; where it is another one, whose times these are is said. */
  readonly ownZone: string;
  readonly paint: Paint;
  /** Of the terminal, in characters; left out: wide enough. */
  readonly width?: number | undefined;
}

const BAR_CELLS = 24;
const SHORTEST_BAR_CELLS = 8;
/** What stands beside a bar: the day, the minutes, the limit. */
const BESIDE_BAR = 44;
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
const GAPS: Readonly<Record<string, string>> = {
  agent_down: 'no agent was running',
  agent_stopped: 'the agent was held',
  suspend: 'the PC slept',
};
/** From this part of the limit on a bar is yellow. */
const NEARLY = 0.8;

/** One block for each child, in the order of the days' first mention. */
export function reportText(days: readonly UsageDay[], look: ReportLook): string {
  const children = [...new Set(days.map((day) => day.child_profile))];
  return children
    .map((child) =>
      childText(
        child,
        days.filter((day) => day.child_profile === child),
        look,
      ),
    )
    .join('\n\n');
}

function childText(
  child: string,
  days: readonly UsageDay[],
  { paint, timeZone, ownZone, width }: ReportLook,
): string {
  const total = sum(days.map((day) => day.used_minutes));
  const sections = [
    [paint('bold', `${child}, ${rangeText(days)}`), '', ...dayLines(days, paint, barCells(width))],
    [total === 0 ? 'No play.' : `In all ${duration(total)}${perGame(days)}.`],
  ];
  const sessions = sessionsOf(days);
  if (sessions.length > 0)
    sections.push([
      paint('bold', ownZone === timeZone ? 'Sessions' : `Sessions, by the clock of ${timeZone}`),
      ...sessionLines(sessions, timeZone, paint),
    ]);
  return sections.map((lines) => lines.join('\n')).join('\n\n');
}

// ── days ──────────────────────────────────────────────────────────────────────────────────────────────────────

function barCells(width = Number.POSITIVE_INFINITY): number {
  return Math.min(BAR_CELLS, Math.max(SHORTEST_BAR_CELLS, width - BESIDE_BAR));
}

function dayLines(days: readonly UsageDay[], paint: Paint, barLength: number): string[] {
  const scale = Math.max(1, ...days.map((day) => Math.max(day.used_minutes, day.limit_minutes ?? 0)));
  const rows = days.map((day) => [
    shortDay(day.day),
    bar(day, barLength / scale, paint),
    day.used_minutes > 0 ? duration(day.used_minutes) : paint('dim', '–'),
    limitText(day, paint),
  ]);
  return columns(rows, ['left', 'left', 'right', 'left']);
}

/** What was used, then dots for what the limit left, or a shade for what went beyond; all days have one scale. */
function bar({ used_minutes, limit_minutes }: UsageDay, cellsPerMinute: number, paint: Paint): string {
  const cells = (minutes: number) => minutes * cellsPerMinute;
  if (limit_minutes === null) return paint('green', blocks(cells(used_minutes)));
  const limit = Math.round(cells(limit_minutes));
  if (used_minutes > limit_minutes) {
    const over = Math.round(cells(used_minutes)) - limit;
    return paint('red', '█'.repeat(limit) + '▓'.repeat(over));
  }
  const used = blocks(cells(used_minutes));
  const colour = used_minutes >= limit_minutes * NEARLY ? 'yellow' : 'green';
  return paint(colour, used) + paint('dim', '·'.repeat(Math.max(0, limit - used.length)));
}

function blocks(cells: number): string {
  const eighths = Math.max(0, Math.round(cells * 8));
  return '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? '');
}

function limitText({ used_minutes, limit_minutes }: UsageDay, paint: Paint): string {
  if (limit_minutes === null) return '';
  // Whole minutes only: the grace time before a close is no offence.
  const over = Math.floor(used_minutes - limit_minutes);
  const told = `of ${duration(limit_minutes)}`;
  return over > 0 ? `${told}, ${paint('red', `${duration(over)} over`)}` : told;
}

function perGame(days: readonly UsageDay[]): string {
  const games = new Map<string, number>();
  for (const day of days)
    for (const [game, minutes] of Object.entries(day.games))
      games.set(game, (games.get(game) ?? 0) + minutes);
  const told = [...games]
    .sort(([, a], [, b]) => b - a)
    .map(([game, minutes]) => `${game} ${duration(minutes)}`);
  return told.length === 0 ? '' : `: ${told.join(', ')}`;
}

// ── sessions ──────────────────────────────────────────────────────────────────────────────────────────────────

/** Each once, though a session across midnight stands in two days. */
function sessionsOf(days: readonly UsageDay[]): SessionData[] {
  const byId = new Map(days.flatMap((day) => day.sessions.map((session) => [session.session_id, session])));
  return [...byId.values()].sort((a, b) => a.time_start.localeCompare(b.time_start));
}

function sessionLines(sessions: readonly SessionData[], timeZone: string, paint: Paint): string[] {
  const zoned = clockIn(timeZone);
  const heads = columns(
    sessions.map((session) => [
      shortDay(zoned(session.time_start).day),
      spanText(session.time_start, session.time_end, zoned),
      session.game,
      duration(session.duration_seconds / 60),
      splitText(session),
    ]),
    ['left', 'left', 'left', 'right', 'left'],
  );
  return sessions.flatMap((session, i) => [
    heads[i] ?? '',
    ...session.gaps.map((gap) => {
      const span = spanText(gap.from, gap.to, zoned);
      const what = GAPS[gap.reason] ?? gap.reason;
      return paint('dim', `            ${span} ${what}: ${duration(gap.charged_minutes)} charged`);
    }),
  ]);
}

interface ZonedTime {
  readonly day: string;
  readonly time: string;
}

function spanText(from: string, to: string | null, zoned: (iso: string) => ZonedTime): string {
  const start = zoned(from);
  if (to === null) return `${start.time}–now`;
  const end = zoned(to);
  const overnight = end.day === start.day ? '' : ` (${shortDay(end.day).slice(0, 3)})`;
  return `${start.time}–${end.time}${overnight}`;
}

function splitText({ by_day }: SessionData): string {
  const parts = Object.entries(by_day ?? {});
  if (parts.length < 2) return '';
  return `(${parts.map(([day, minutes]) => `${shortDay(day).slice(0, 3)} ${duration(minutes)}`).join(', ')})`;
}

/** An instant as day and time of day in a zone; a clock of 24 hours. */
function clockIn(timeZone: string): (iso: string) => ZonedTime {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
  return (iso) => {
    const [day = '', time = ''] = format.format(new Date(iso)).split(' ');
    return { day, time };
  };
}

// ── words ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** Minutes as people say them, to the minute: `45 min`, `1 h`, `1 h 05 min`. */
export function duration(minutes: number): string {
  const whole = Math.round(minutes);
  if (whole === 0 && minutes > 0) return '<1 min';
  const hours = Math.floor(whole / 60);
  const rest = whole % 60;
  if (hours === 0) return `${rest} min`;
  return rest === 0 ? `${hours} h` : `${hours} h ${String(rest).padStart(2, '0')} min`;
}

const dayFormat = (options: Intl.DateTimeFormatOptions) =>
  new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', ...options });
const SHORT = dayFormat({ weekday: 'short', day: '2-digit', month: 'short' });
const LONG = dayFormat({ weekday: 'short', day: 'numeric', month: 'long', year: 'numeric' });

/** `2026-11-23` → `Mon 23 Nov`. */
export function shortDay(day: string): string {
  return SHORT.format(new Date(`${day}T00:00:00Z`)).replace(',', '');
}

function rangeText(days: readonly UsageDay[]): string {
  const [first = '', last = ''] = [days[0]?.day, days.at(-1)?.day];
  const long = (day: string) => LONG.format(new Date(`${day}T00:00:00Z`)).replace(',', '');
  return first === last ? long(first) : `${long(first)} to ${long(last)}`;
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
