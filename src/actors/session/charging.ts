/**
 * Minutes onto days: charges stretches of the awake clock to a session, its game and its child, each only as far as
 * it was not charged before, and each to the day it lies in (contract T1 to T3).
 */
import { cover, type Span } from './coverage.ts';
import { iso, minutes } from './figures.ts';
import {
  ALL_GAMES,
  biasOf,
  type ChildState,
  calendarIn,
  EMPTY_DAY,
  isRunning,
  type Member,
  markUnwritten,
  type OpenSession,
  type SessionState,
  usageOn,
} from './state.ts';
import { childOf, type Turn } from './turn.ts';

/** The most gaps a session lists; beyond it the last one grows. */
const MAX_GAPS = 100;

/** Charges every session that runs up to a moment of the awake clock. */
export function chargeRunning(turn: Turn, toAwakeMs: number): void {
  for (const session of turn.state.sessions.values()) {
    if (!isRunning(session)) continue;
    chargeTo(turn, session, toAwakeMs);
    chargeMembers(turn, session, toAwakeMs);
  }
}

/** Those that were heard of late and began before their session did: what they ran since they were known to. */
function chargeMembers(turn: Turn, session: OpenSession, toAwakeMs: number): void {
  if (session.members.every((m) => m.ranToAwakeMs === undefined)) return;
  for (const member of session.members) chargeMember(turn, session, member, toAwakeMs);
  const isBehind = toAwakeMs < session.chargedToAwakeMs;
  session.members = session.members.map(({ ranToAwakeMs, ...member }) =>
    isBehind && ranToAwakeMs !== undefined
      ? { ...member, ranToAwakeMs: Math.max(ranToAwakeMs, toAwakeMs) }
      : member,
  );
}

/** Charges what one process ran, as far as its session was charged without it. */
export function chargeMember(
  turn: Turn,
  session: OpenSession,
  { ranToAwakeMs }: Member,
  toAwakeMs: number,
): void {
  if (ranToAwakeMs !== undefined)
    charge(turn, session, ranToAwakeMs, Math.min(toAwakeMs, session.chargedToAwakeMs));
}

/** Charges one session from where it stands. */
export function chargeTo(turn: Turn, session: OpenSession, toAwakeMs: number): void {
  if (toAwakeMs <= session.chargedToAwakeMs) return;
  noteUnwatched(turn, session, toAwakeMs);
  charge(turn, session, session.chargedToAwakeMs, toAwakeMs);
  session.chargedToAwakeMs = toAwakeMs;
  session.provenMs = toAwakeMs + biasOf(turn.state);
}

/** Charges one stretch, which may begin before the session as the agent knew it. */
export function charge(turn: Turn, session: OpenSession, fromAwakeMs: number, toAwakeMs: number): void {
  const { state } = turn;
  const child = childOf(turn, session.child);
  const ofGame = cover(child.record.covered[session.game] ?? [], fromAwakeMs, toAwakeMs);
  const ofChild = cover(child.record.covered[ALL_GAMES] ?? [], fromAwakeMs, toAwakeMs);
  child.record.covered = {
    ...child.record.covered,
    [session.game]: ofGame.spans,
    [ALL_GAMES]: ofChild.spans,
  };
  for (const span of ofGame.added) {
    for (const [day, ms] of byDay(state, span)) {
      session.chargedMs += ms;
      session.byDay = { ...session.byDay, [day]: (session.byDay[day] ?? 0) + ms };
      addUsage(turn, child, day, session.game, ms);
    }
  }
  for (const span of ofChild.added) {
    for (const [day, ms] of byDay(state, span)) addUsage(turn, child, day, ALL_GAMES, ms);
  }
}

/** The agent was stopped while the game ran on: charged like all play, and listed (contract T3). */
function noteUnwatched(turn: Turn, session: OpenSession, toAwakeMs: number): void {
  const fromAwakeMs = Math.max(turn.watchedToAwakeMs, session.chargedToAwakeMs);
  if (fromAwakeMs >= toAwakeMs) return;
  const bias = biasOf(turn.state);
  noteGap(session, fromAwakeMs + bias, toAwakeMs + bias, toAwakeMs - fromAwakeMs, 'agent_stopped');
  turn.write = true;
}

/** A stretch that nobody watched goes into the session's list, or makes its last one longer; `chargedMs` of it was charged. */
export function noteGap(
  session: OpenSession,
  fromMs: number,
  toMs: number,
  chargedMs: number,
  reason: string,
): void {
  const gap = { from: iso(fromMs), to: iso(toMs), charged_minutes: minutes(chargedMs), reason };
  const last = session.gaps.at(-1);
  const goesOn = last?.reason === reason && last.to === gap.from;
  if (!last || (!goesOn && session.gaps.length < MAX_GAPS)) {
    session.gaps = [...session.gaps, gap];
    return;
  }
  const charged_minutes = minutes((last.charged_minutes + gap.charged_minutes) * 60_000);
  session.gaps = [...session.gaps.slice(0, -1), { ...last, to: gap.to, charged_minutes }];
}

/** A new day is open: what was today's is past, and the week may be another one. */
export function rollDay(state: SessionState, child: ChildState, before: string): void {
  const today = state.clock.day.day;
  if (today !== before) {
    const past = new Map(child.past);
    if (child.today !== EMPTY_DAY) past.set(before, child.today);
    child.today = past.get(today) ?? EMPTY_DAY;
    past.delete(today);
    child.past = past;
  }
  child.restOfWeekMs = restOfWeek(state, child);
}

/** What was charged on the other days of the week that holds today, ms. */
export function restOfWeek(state: SessionState, child: ChildState): number {
  const today = state.clock.day.day;
  let sum = 0;
  for (const day of calendarIn(state).weekOf(today)) {
    if (day !== today) sum += usageOn(child, today, day).usedMs[ALL_GAMES] ?? 0;
  }
  return sum;
}

function addUsage(turn: Turn, child: ChildState, day: string, game: string, ms: number): void {
  const { state } = turn;
  const today = state.clock.day.day;
  const usage = usageOn(child, today, day);
  const usedMs = { ...usage.usedMs, [game]: (usage.usedMs[game] ?? 0) + ms };
  const grown = { usedMs, limitMinutes: usage.limitMinutes };
  if (day === today) {
    child.today = grown;
  } else {
    child.past = new Map(child.past).set(day, grown);
    child.restOfWeekMs = restOfWeek(state, child);
  }
  markUnwritten(child, day);
}

/** The days of a stretch: all since the open day's start is today's, what lies before goes by the calendar. */
function byDay(state: SessionState, [fromAwakeMs, toAwakeMs]: Span): [day: string, ms: number][] {
  const bias = biasOf(state);
  const { day, startMs } = state.clock.day;
  let at = fromAwakeMs + bias;
  const end = toAwakeMs + bias;
  if (at >= startMs) return [[day, toAwakeMs - fromAwakeMs]];
  const parts: [string, number][] = [];
  const calendar = calendarIn(state);
  while (at < Math.min(end, startMs)) {
    const span = calendar.dayAt(at);
    const until = Math.min(end, startMs, span.endMs);
    parts.push([span.day, until - at]);
    at = until;
  }
  if (end > at) parts.push([day, end - at]);
  return parts;
}
