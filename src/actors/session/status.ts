/** How things stand, for `/desktop/status`, `get_live_status` and the results of commands. */
import type { ChildStatus } from '../../protocol/http-answers.ts';
import type { SettleResult } from '../../protocol/messages.ts';
import { allowedUntil, baseLimit, boundsOf, extraToday } from './budget.ts';
import { iso, minutes } from './figures.ts';
import {
  ALL_GAMES,
  type ChildState,
  calendarIn,
  isRunning,
  newChild,
  profileIn,
  type SessionState,
  usedToday,
} from './state.ts';

export function statusOf(state: SessionState): SettleResult {
  const ids = Object.keys(state.config.profiles);
  return {
    children: Object.fromEntries(
      ids.map((id) => [id, childStatus(state, state.children.get(id) ?? newChild(id))]),
    ),
    today: state.clock.day.day,
    timeZone: calendarIn(state).zone,
    lastTickAwakeMs: state.reading.awakeMs,
  };
}

/**
 * One child. With several games open the session that ends first is shown. A pause without an end shows as
 * `limited_by: "pause"` with `paused_until: null`. `game`: what remains is asked for this game.
 */
export function childStatus(state: SessionState, child: ChildState, game?: string): ChildStatus {
  const running = [...state.sessions.values()]
    .filter((s) => s.child === child.id && isRunning(s))
    .map((session) => ({ session, left: boundsOf(state, child, session.game).tightest?.remainingMs }))
    .sort((a, b) => (a.left ?? Number.POSITIVE_INFINITY) - (b.left ?? Number.POSITIVE_INFINITY));
  const shown = running[0]?.session;
  const bound = boundsOf(state, child, game ?? shown?.game ?? null).tightest;
  const pausedUntil = child.record.pause?.untilMs ?? null;
  return {
    playing: running.length > 0,
    session_id: shown?.id ?? null,
    game: shown?.game ?? null,
    used_minutes_today: minutes(usedToday(child)),
    remaining_minutes: bound ? minutes(bound.remainingMs) : null,
    limited_by: bound?.by ?? null,
    paused_until: pausedUntil === null ? null : iso(pausedUntil),
    limits: limitsOf(state, child),
  };
}

function limitsOf(state: SessionState, child: ChildState): ChildStatus['limits'] {
  const profile = profileIn(state, child.id);
  const weekday = calendarIn(state).weekday(state.clock.day.day);
  const limit = (game: string) => (profile ? baseLimit(child, profile, game, weekday) : null);
  const games = state.config.games
    .filter(({ id }) => limit(id) !== null || usedToday(child, id) > 0)
    .map(({ id }) => {
      const figures = { used_minutes_today: minutes(usedToday(child, id)), daily_limit_minutes: limit(id) };
      return [id, figures] as const;
    });
  return {
    daily_limit_minutes: limit(ALL_GAMES),
    weekly_limit_minutes: profile?.weekly_limit_minutes ?? null,
    extra_minutes: minutes(extraToday(state, child)?.dayMs ?? 0),
    used_minutes_week: minutes(child.restOfWeekMs + usedToday(child)),
    games: Object.fromEntries(games),
    window: windowText(state, child),
  };
}

/**
 * `15:00-19:30`: the window that is open or opens next, its end moved out by extra time, which outside of a window runs
 * from now; null: no rule, or none in sight.
 */
function windowText(state: SessionState, child: ChildState): string | null {
  const allowed = profileIn(state, child.id)?.allowed;
  if (!allowed) return null;
  const calendar = calendarIn(state);
  const window = calendar.windowNear(allowed, state.nowMs);
  const until = allowedUntil(state, allowed, extraToday(state, child));
  const open = until === null || until > state.nowMs;
  const fromMs = window && (!open || window.fromMs <= state.nowMs) ? window.fromMs : state.nowMs;
  const toMs = (open ? until : null) ?? window?.toMs;
  return toMs === undefined ? null : `${calendar.clockTime(fromMs)}-${calendar.clockTime(toMs)}`;
}
