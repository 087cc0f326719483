/**
 * What the contract says of minutes, limits and warnings once more, as plainly as can be: time goes in ticks, and a window is
 * looked for minute by minute in what Intl says the wall shows. An oracle beside the behaviour, of which it knows nothing.
 */
import type { ProfileConfig, Weekday } from '../../../src/protocol/config.ts';
import type { SessionConfig } from '../../../src/protocol/messages.ts';
import { MINUTE, SECOND } from './playing.ts';

/** Everything that the model is given lies on this grid, ms. */
export const TICK = 10 * SECOND;
const DAY = 24 * 60 * MINUTE;
/** Key of the child's union over all games. */
const ALL = '';
const WEEKDAYS: readonly Weekday[] = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

interface Budget {
  readonly by: 'day' | 'week' | 'game' | 'window' | 'pause';
  readonly leftMs: number;
  readonly limitMs?: number;
}

interface Given {
  readonly day: string;
  dayMs: number;
  weekMs: number;
  readonly gamesMs: Record<string, number>;
}

/** One child: what was charged and ordered. */
class Child {
  /** By day and game, ms. */
  readonly used = new Map<string, number>();
  readonly #charged = new Set<string>();
  readonly limits = new Map<string, number | null>();
  readonly warned = new Map<string, Set<number>>();
  given: Given | null = null;
  liftedToMs = 0;
  pausedToMs = 0;

  /** One tick of play: once for the game, once for all of them. */
  charge(day: string, game: string, tick: number): void {
    for (const scope of [game, ALL]) {
      if (this.#charged.has(`${scope} ${tick}`)) continue;
      this.#charged.add(`${scope} ${tick}`);
      this.used.set(`${day} ${scope}`, this.usedOn(day, scope) + TICK);
    }
  }

  usedOn(day: string, game: string): number {
    return this.used.get(`${day} ${game}`) ?? 0;
  }
}

export class MinuteModel {
  config: SessionConfig;
  nowMs: number;
  readonly #zone: string;
  readonly #children = new Map<string, Child>();
  /** Stretches in which a child's windows are open throughout, or closed. */
  #stretches: { of: unknown; fromMs: number; toMs: number; open: boolean }[] = [];

  constructor(config: SessionConfig, nowMs: number, zone: string) {
    this.config = config;
    this.nowMs = nowMs;
    this.#zone = zone;
  }

  child(id: string): Child {
    const child = this.#children.get(id) ?? new Child();
    this.#children.set(id, child);
    return child;
  }

  /** The day of a moment, `2026-11-23`. */
  dayAt(ms: number = this.nowMs): string {
    const [hours = 0, minutes = 0] = this.config.day.starts_at.split(':').map(Number);
    return utcDay(wallMs(ms, this.#zone) - (hours * 60 + minutes) * MINUTE);
  }

  charge(id: string, game: string, tick: number, atMs: number): void {
    this.child(id).charge(this.dayAt(atMs), game, tick);
  }

  /** Time goes on. What was for a day goes with it, and so do warnings of a day that nobody plays into. */
  passTo(ms: number, isPlaying: (id: string) => boolean): void {
    const before = this.dayAt();
    this.nowMs = ms;
    const isNewDay = this.dayAt() !== before;
    for (const [id, child] of this.#children) {
      if (isNewDay) child.given = null;
      if (isNewDay && !isPlaying(id)) child.warned.clear();
      if (!isPlaying(id)) this.rearm(id);
    }
  }

  /** What bounds the child, and a game of its; a pause is no limit of either. */
  bounds(id: string, game: string | null) {
    const child = this.child(id);
    const profile = this.#profile(id);
    const given = child.given;
    const budget = (by: Budget['by'], minutes: number | null, extraMs: number, usedMs: number) => {
      if (minutes === null) return [];
      const limitMs = minutes * MINUTE + extraMs;
      return [{ by, limitMs, leftMs: Math.max(0, limitMs - usedMs) }];
    };
    const untilMs = this.#openUntil(id);
    const own = least<Budget>([
      ...budget('day', this.#base(id, ALL), given?.dayMs ?? 0, child.usedOn(this.dayAt(), ALL)),
      ...budget('week', profile.weekly_limit_minutes, given?.weekMs ?? 0, this.#usedInWeek(id)),
      ...(untilMs === null ? [] : [{ by: 'window' as const, leftMs: untilMs - this.nowMs }]),
    ]);
    const ofGame =
      game === null
        ? null
        : least(
            budget('game', this.#base(id, game), given?.gamesMs[game] ?? 0, child.usedOn(this.dayAt(), game)),
          );
    const pause = child.pausedToMs > this.nowMs ? { by: 'pause' as const, leftMs: 0 } : null;
    return { own, ofGame, tightest: least<Budget>([pause, own, ofGame].filter((bound) => bound !== null)) };
  }

  /** Warnings of which more time is left than they say can come again. */
  rearm(id: string): void {
    for (const [scope, warned] of this.child(id).warned) {
      const { own, ofGame } = this.bounds(id, scope || null);
      const bound = scope === ALL ? own : ofGame;
      for (const minutes of warned) if (!bound || bound.leftMs > minutes * MINUTE) warned.delete(minutes);
    }
  }

  /** The warning that is due while this game is played, minutes. */
  warning(id: string, game: string): number | null {
    const bound = this.bounds(id, game).tightest;
    if (!bound || bound.by === 'pause') return null;
    const scope = bound.by === 'game' ? game : ALL;
    const warned = this.child(id).warned.get(scope) ?? new Set();
    this.child(id).warned.set(scope, warned);
    const due = this.#profile(id).warn_minutes.filter((minutes) => {
      const canFire = minutes * MINUTE < (bound.limitMs ?? Number.POSITIVE_INFINITY);
      return canFire && !warned.has(minutes) && bound.leftMs <= minutes * MINUTE;
    });
    for (const minutes of due) warned.add(minutes);
    return due.length > 0 && bound.leftMs > 0 ? Math.min(...due) : null;
  }

  pause(id: string, minutes: number | undefined): void {
    this.child(id).pausedToMs =
      minutes === undefined ? Number.POSITIVE_INFINITY : this.nowMs + minutes * MINUTE;
  }

  resume(id: string): void {
    this.child(id).pausedToMs = 0;
  }

  setLimit(id: string, minutes: number | null | 'config', game = ALL): void {
    const { limits, given } = this.child(id);
    const before = this.#base(id, game);
    if (minutes === 'config') limits.delete(game);
    else limits.set(game, minutes);
    if (!given || this.#base(id, game) === before) return;
    if (game === ALL) given.dayMs = 0;
    else given.gamesMs[game] = 0;
  }

  extend(id: string, minutes: number, game?: string): void {
    const child = this.child(id);
    const day = this.dayAt();
    const addMs = minutes * MINUTE;
    const before = child.given ?? { day, dayMs: 0, weekMs: 0, gamesMs: {} };
    /** So many minutes from max(used, limit) on. */
    const further = (limit: number | null, extraMs: number, usedMs: number) =>
      limit === null ? extraMs : Math.max(usedMs, limit * MINUTE + extraMs) + addMs - limit * MINUTE;
    /** As far as these minutes of the game need it. */
    const fitting = (limit: number | null, extraMs: number, usedMs: number) =>
      limit === null ? extraMs : Math.max(extraMs, usedMs + addMs - limit * MINUTE);
    const ofGameOnly = game !== undefined && this.#base(id, game) !== null;
    const lift = ofGameOnly ? fitting : further;
    const untilMs = this.#openUntil(id);
    const gamesMs = { ...before.gamesMs };
    for (const { id: other } of this.config.games) {
      if (game !== undefined && game !== other) continue;
      gamesMs[other] = further(this.#base(id, other), gamesMs[other] ?? 0, child.usedOn(day, other));
    }
    const dayMs = lift(this.#base(id, ALL), before.dayMs, child.usedOn(day, ALL));
    const weekMs = lift(this.#profile(id).weekly_limit_minutes, before.weekMs, this.#usedInWeek(id));
    child.given = { day, dayMs, weekMs, gamesMs };
    if (untilMs === null) return;
    if (!ofGameOnly) child.liftedToMs = untilMs + addMs;
    else if (untilMs < this.nowMs + addMs) child.liftedToMs = this.nowMs + addMs;
  }

  #profile(id: string): ProfileConfig {
    const profile = this.config.profiles[id];
    if (!profile) throw new Error(`no profile ${id}`);
    return profile;
  }

  /** The limit before extra minutes. */
  #base(id: string, game: string): number | null {
    const ordered = this.child(id).limits.get(game);
    if (ordered !== undefined) return ordered;
    const profile = this.#profile(id);
    const limit = game === ALL ? profile.daily_limit_minutes : profile.games[game]?.daily_limit_minutes;
    if (limit === undefined || limit === null || typeof limit === 'number') return limit ?? null;
    const named = limit[weekdayOf(Date.parse(this.dayAt()))];
    return named !== undefined ? named : (limit.default ?? null);
  }

  #usedInWeek(id: string): number {
    const today = Date.parse(this.dayAt());
    const monday = today - ((new Date(today).getUTCDay() + 6) % 7) * DAY;
    let sum = 0;
    for (let i = 0; i < 7; i++) sum += this.child(id).usedOn(utcDay(monday + i * DAY), ALL);
    return sum;
  }

  /** Up to when the windows and what lifts them allow play; null: no end within a week. */
  #openUntil(id: string): number | null {
    const { allowed } = this.#profile(id);
    if (allowed === null) return null;
    const { liftedToMs } = this.child(id);
    let at = this.nowMs;
    while (at < this.nowMs + 7.5 * DAY) {
      const stretch = this.#stretchAt(allowed, at);
      if (stretch.open) at = stretch.toMs;
      else if (liftedToMs > at) at = liftedToMs;
      else return at;
    }
    return null;
  }

  #stretchAt(allowed: NonNullable<ProfileConfig['allowed']>, ms: number) {
    const known = this.#stretches.find((s) => s.of === allowed && s.fromMs <= ms && ms < s.toMs);
    if (known) return known;
    const open = isOpen(allowed, ms, this.#zone);
    let toMs = (Math.floor(ms / MINUTE) + 1) * MINUTE;
    while (toMs < ms + 8 * DAY && isOpen(allowed, toMs, this.#zone) === open) toMs += MINUTE;
    const stretch = { of: allowed, fromMs: ms, toMs, open };
    this.#stretches = [stretch, ...this.#stretches.slice(0, 7)];
    return stretch;
  }
}

function least<T extends { readonly leftMs: number }>(bounds: readonly T[]): T | null {
  return bounds.reduce<T | null>((min, bound) => (!min || bound.leftMs < min.leftMs ? bound : min), null);
}

/** Whether a window of the weekday that the wall shows holds what it shows, or one of the weekday before. */
function isOpen(allowed: NonNullable<ProfileConfig['allowed']>, ms: number, zone: string): boolean {
  const wall = wallMs(ms, zone);
  return [0, 1].some((back) => {
    const midnight = (Math.floor(wall / DAY) - back) * DAY;
    return (allowed[weekdayOf(midnight)] ?? allowed.default ?? ['00:00-24:00']).some((window) => {
      const [from = 0, to = 0] = window.split('-').map(minuteOf);
      const minute = (wall - midnight) / MINUTE;
      return minute >= from && minute < (to < from ? to + 1_440 : to);
    });
  });
}

function minuteOf(time: string): number {
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return hours * 60 + minutes;
}

const utcDay = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
const weekdayOf = (ms: number): Weekday => WEEKDAYS[new Date(ms).getUTCDay()] ?? 'mon';

const offsets = new Map<string, number>();
const formats = new Map<string, Intl.DateTimeFormat>();

/** What the wall shows, as if it were UTC, epoch ms. Offsets change on quarters of an hour only. */
function wallMs(ms: number, zone: string): number {
  const quarter = Math.floor(ms / (15 * MINUTE)) * 15 * MINUTE;
  const key = `${zone} ${quarter}`;
  let offset = offsets.get(key);
  if (offset === undefined) {
    const format =
      formats.get(zone) ??
      new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium', timeZone: zone });
    formats.set(zone, format);
    offset = Date.parse(`${format.format(quarter).replace(' ', 'T')}Z`) - quarter;
    offsets.set(key, offset);
  }
  return ms + offset;
}
