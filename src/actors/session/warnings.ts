/**
 * Warnings (contract T4): each once when the remaining time crosses it, the nearest only on a late tick, armed again
 * by time added. One rule does it all: a warning is given when what remains is at or below it, and armed again as
 * soon as what remains is above it, a pause or not: it stops play and gives no time away.
 *
 * The child's own bounds (day, week, window) and each game's budget keep separate lists, so that two games at once
 * bring one warning of a common limit. A warning that the limit is too short for is skipped (contract C9).
 */
import { type Bound, type Bounds, boundsOf } from './budget.ts';
import { notification, sessionData, sessionEvent } from './events.ts';
import { duration, explain, reason } from './explain.ts';
import {
  ALL_GAMES,
  type ChildState,
  calendarIn,
  gameName,
  isRunning,
  type OpenSession,
  profileIn,
} from './state.ts';
import { childOf, type Turn, wakeAt } from './turn.ts';

/** What remains must be above a warning by this much to arm it again, ms: a corrected clock moves a window's end. */
const REARM_MS = 1_000;
const REARM_WINDOW_MS = 10_000;

/** Gives the warning that is due, and wakes the actor for the next. */
export function warn(turn: Turn, session: OpenSession, bounds: Bounds): void {
  const { state } = turn;
  const child = childOf(turn, session.child);
  rearm(turn, child, ALL_GAMES, bounds.child);
  rearm(turn, child, session.game, bounds.game);
  const bound = bounds.tightest;
  if (!bound || bound.by === 'pause') return;
  const scope = bound.by === 'game' ? session.game : ALL_GAMES;
  const given = child.record.given[scope] ?? [];
  const armed = (profileIn(state, child.id)?.warn_minutes ?? []).filter(
    (warning) => !given.includes(warning) && warning * 60_000 < (bound.limitMs ?? Number.POSITIVE_INFINITY),
  );
  const crossed = armed.filter((warning) => bound.remainingMs <= warning * 60_000);
  if (crossed.length > 0) {
    child.record.given = { ...child.record.given, [scope]: [...given, ...crossed] };
    // At zero there is nothing left to warn of: that is told in its own words.
    if (bound.remainingMs > 0) give(turn, session, child, bound, Math.min(...crossed));
  }
  for (const warning of armed) {
    if (warning * 60_000 < bound.remainingMs) {
      wakeAt(turn, state.reading.awakeMs + bound.remainingMs - warning * 60_000);
    }
  }
}

/**
 * A window runs out while nobody plays, and so do minutes that a parent gave outside of it: by the start of the game what
 * they armed again is below its warning once more. So they arm as soon as they are there.
 */
export function rearmAbsent(turn: Turn): void {
  const { state } = turn;
  for (const child of state.children.values()) {
    if ((child.record.given[ALL_GAMES] ?? []).length === 0) continue;
    if ([...state.sessions.values()].some((s) => s.child === child.id && isRunning(s))) continue;
    const then = { ...state, nowMs: openedMs(turn, child) ?? state.nowMs };
    rearm(turn, child, ALL_GAMES, boundsOf(then, child, null).child);
  }
}

/** When the window that is open opened, if that was after the last step: the PC may have been off. */
function openedMs({ state, beforeMs }: Turn, child: ChildState): number | null {
  const allowed = profileIn(state, child.id)?.allowed;
  if (!allowed) return null;
  const calendar = calendarIn(state);
  const { untilMs } = calendar.windowAt(allowed, beforeMs);
  if (untilMs === null || untilMs > state.nowMs) return null;
  const fromMs = calendar.windowNear(allowed, state.nowMs)?.fromMs ?? beforeMs;
  return fromMs > beforeMs && fromMs <= state.nowMs ? fromMs : null;
}

/** Kept at once: later what remains may be below the warning, and a fresh actor would take it for given. */
function rearm(turn: Turn, child: ChildState, scope: string, bound: Bound | null): void {
  const given = child.record.given[scope];
  if (!given || given.length === 0) return;
  const margin = bound?.by === 'window' ? REARM_WINDOW_MS : REARM_MS;
  const kept = bound ? given.filter((warning) => warning * 60_000 >= bound.remainingMs - margin) : [];
  if (kept.length === given.length) return;
  child.record.given = { ...child.record.given, [scope]: kept };
  turn.write = true;
}

function give(turn: Turn, session: OpenSession, child: ChildState, bound: Bound, warning: number): void {
  const { state } = turn;
  const game = gameName(state, session.game);
  const left = duration(bound.remainingMs);
  const sentence = `${game}: ${left} left, ${reason(state, child, session.game, bound)}.`;
  const why = explain(state, bound, sentence);
  const data = { ...sessionData(turn, session, null), warning_minutes: warning, why };
  turn.events.push(
    sessionEvent('time_limit_warning', data),
    notification(session, 'time_limit_warning', `${left} left`, sentence, why),
  );
  turn.write = true;
}
