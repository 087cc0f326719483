/**
 * What is left: day, week, game, window and pause, each as a bound, and the smallest of them (contract T5). Pure
 * functions over the state; nothing is decided about it here.
 */
import type { AllowedWindows, DailyLimit, ProfileConfig, Weekday } from '../../protocol/config.ts';
import type { LimitName } from '../../protocol/events.ts';
import {
  ALL_GAMES,
  type ChildState,
  calendarIn,
  type Extra,
  profileIn,
  type SessionState,
  usedToday,
} from './state.ts';

/** One thing that bounds play. */
export interface Bound {
  readonly by: LimitName;
  /** 0 or more, ms. */
  readonly remainingMs: number;
  /** Of a budget: what was used of it, and what it is in all, extra time included, ms. */
  readonly usedMs?: number;
  readonly limitMs?: number;
  readonly extraMs?: number;
}

/** What bounds a child whatever it plays, and what bounds the one game, a pause aside; null: nothing. */
export interface Bounds {
  readonly child: Bound | null;
  readonly game: Bound | null;
  /** The smallest, a pause included. */
  readonly tightest: Bound | null;
  /** The smaller of the two. */
  readonly limit: Bound | null;
}

/** `game` null: the child as such. */
export function boundsOf(state: SessionState, child: ChildState, game: string | null): Bounds {
  const profile = profileIn(state, child.id);
  if (!profile) return { child: null, game: null, tightest: null, limit: null };
  const weekday = calendarIn(state).weekday(state.clock.day.day);
  const extra = extraToday(state, child);
  const own = smallest([
    dayBound(child, profile, weekday, extra),
    weekBound(child, profile, extra),
    windowBound(state, profile, extra),
  ]);
  const ofGame = game === null ? null : gameBound(child, profile, game, weekday, extra);
  const limit = smallest([own, ofGame]);
  return { child: own, game: ofGame, tightest: smallest([pauseBound(state, child), limit]), limit };
}

/** The extensions of today; those of another day are over. */
export function extraToday(state: SessionState, child: ChildState): Extra | null {
  const extra = child.record.extra;
  return extra && extra.day === state.clock.day.day ? extra : null;
}

/**
 * Up to when the windows and what lifts them allow play without a break, epoch ms: now, if they do not; null: no end in
 * sight. A window that opens before the lifted end is past, or right at it, goes on from there.
 */
export function allowedUntil(
  state: SessionState,
  allowed: NonNullable<AllowedWindows>,
  extra: Extra | null,
): number | null {
  const calendar = calendarIn(state);
  const window = calendar.windowAt(allowed, state.nowMs);
  const until = window.open ? window.untilMs : state.nowMs;
  const lifted = extra?.windowUntilMs ?? 0;
  if (until === null || lifted <= until) return until;
  const then = calendar.windowAt(allowed, lifted);
  return then.open ? then.untilMs : lifted;
}

/** The limit of a day or a game before extensions: set by command, else configured. Minutes, null: none. */
export function baseLimit(
  child: ChildState,
  profile: ProfileConfig,
  game: string,
  weekday: Weekday,
): number | null {
  const commanded = child.record.limits[game];
  if (commanded !== undefined) return commanded;
  const configured =
    game === ALL_GAMES ? profile.daily_limit_minutes : profile.games[game]?.daily_limit_minutes;
  return limitOn(configured ?? null, weekday);
}

/** The limit in force today, extensions included, minutes; null: none. */
export function limitToday(state: SessionState, child: ChildState, game: string): number | null {
  const profile = profileIn(state, child.id);
  if (!profile) return null;
  const base = baseLimit(child, profile, game, calendarIn(state).weekday(state.clock.day.day));
  const extra = extraToday(state, child);
  const extraMs = (game === ALL_GAMES ? extra?.dayMs : extra?.gamesMs[game]) ?? 0;
  return base === null ? null : base + extraMs / 60_000;
}

/** A weekday that a map does not name, without a default in it, has no limit. */
function limitOn(limit: DailyLimit, weekday: Weekday): number | null {
  if (limit === null || typeof limit === 'number') return limit;
  const named = limit[weekday];
  return named !== undefined ? named : (limit.default ?? null);
}

function pauseBound(state: SessionState, child: ChildState): Bound | null {
  const pause = child.record.pause;
  if (!pause || (pause.untilMs !== null && pause.untilMs <= state.nowMs)) return null;
  return { by: 'pause', remainingMs: 0 };
}

function dayBound(
  child: ChildState,
  profile: ProfileConfig,
  weekday: Weekday,
  extra: Extra | null,
): Bound | null {
  const limit = baseLimit(child, profile, ALL_GAMES, weekday);
  return budget('day', limit, usedToday(child), extra?.dayMs ?? 0);
}

function weekBound(child: ChildState, profile: ProfileConfig, extra: Extra | null): Bound | null {
  const used = child.restOfWeekMs + usedToday(child);
  return budget('week', profile.weekly_limit_minutes, used, extra?.weekMs ?? 0);
}

function gameBound(
  child: ChildState,
  profile: ProfileConfig,
  game: string,
  weekday: Weekday,
  extra: Extra | null,
): Bound | null {
  const limit = baseLimit(child, profile, game, weekday);
  return budget('game', limit, usedToday(child, game), extra?.gamesMs[game] ?? 0);
}

function windowBound(state: SessionState, profile: ProfileConfig, extra: Extra | null): Bound | null {
  if (profile.allowed === null) return null;
  const until = allowedUntil(state, profile.allowed, extra);
  return until === null ? null : { by: 'window', remainingMs: until - state.nowMs };
}

function budget(by: LimitName, limitMinutes: number | null, usedMs: number, extraMs: number): Bound | null {
  if (limitMinutes === null) return null;
  const limitMs = limitMinutes * 60_000 + extraMs;
  return { by, remainingMs: Math.max(0, limitMs - usedMs), usedMs, limitMs, extraMs };
}

/** Of equals the first: a pause is named before what else is used up. */
function smallest(bounds: readonly (Bound | null)[]): Bound | null {
  let least: Bound | null = null;
  for (const bound of bounds) if (bound && (!least || bound.remainingMs < least.remainingMs)) least = bound;
  return least;
}
