/**
 * The commands that change time (contract section 7): set_time_limit, extend_time, pause, resume. Each changes the
 * child's record and answers with how things stand; warnings and closes follow by themselves in the same step.
 */
import type { SessionCommand } from '../../protocol/messages.ts';
import { type Problem, problem } from '../../protocol/problems.ts';
import { allowedUntil, baseLimit, extraToday } from './budget.ts';
import {
  ALL_GAMES,
  type ChildState,
  calendarIn,
  type Extra,
  gameName,
  markUnwritten,
  noExtra,
  profileIn,
  usedToday,
} from './state.ts';
import { childStatus } from './status.ts';
import { childOf, type Turn } from './turn.ts';

/** So many are remembered: several times what the desk can have open at once. */
const REMEMBERED_COMMANDS = 256;
/** And so long, ms: more than the desk ever waits, less than the 30 days after which an id may stand for a new command. */
const REMEMBERED_MS = 24 * 3_600_000;

/**
 * Carries a command out; the result or the refusal is left on the turn. One that was carried out before (the desk
 * asks again when an answer was lost or could not be stored) changes nothing: it is written and answered once more.
 */
export function carryOut(turn: Turn, command: SessionCommand): void {
  const refusal = refusalOf(turn, command);
  if (refusal || command.child_profile === null) {
    turn.refusal = refusal;
    return;
  }
  const child = childOf(turn, command.child_profile);
  const { state } = turn;
  const id = command.command_id;
  const recent = state.commands.filter(({ atMs }) => state.nowMs - atMs < REMEMBERED_MS);
  if (!recent.some((done) => done.id === id)) {
    change(turn, child, command);
    state.commands = [...recent, { id, atMs: state.nowMs }].slice(-REMEMBERED_COMMANDS);
  }
  // The day's row carries its limit, which may be another now.
  markUnwritten(child, state.clock.day.day);
  turn.write = true;
  turn.command = { commandId: id, result: resultOf(turn, child, command) };
}

function change(turn: Turn, child: ChildState, command: SessionCommand): void {
  switch (command.command) {
    case 'set_time_limit':
      setTimeLimit(turn, child, command.parameters.minutes, command.parameters.game ?? ALL_GAMES);
      break;
    case 'extend_time':
      extendTime(turn, child, command.parameters.minutes * 60_000, command.parameters.game ?? null);
      break;
    case 'pause': {
      const { minutes } = command.parameters;
      child.record.pause = { untilMs: minutes === undefined ? null : turn.state.nowMs + minutes * 60_000 };
      break;
    }
    case 'resume':
      child.record.pause = null;
      break;
    default:
      command satisfies never;
  }
}

function refusalOf(turn: Turn, { child_profile, parameters }: SessionCommand): Problem | null {
  const { state } = turn;
  if (child_profile === null || !profileIn(state, child_profile)) {
    return problem('child-unknown', `There is no child profile "${child_profile ?? ''}".`);
  }
  const game = 'game' in parameters ? parameters.game : undefined;
  if (game === undefined || state.config.games.some((g) => g.id === game)) return null;
  const message = `no game has the id "${game}"`;
  return problem('schema-mismatch', `In parameters.game: ${message}.`, {
    errors: [{ path: 'parameters.game', message }],
  });
}

/**
 * A new limit is the last word for the day: extra time that was given on top of the old one is gone. Saying the
 * same limit once more (an app that sends all its settings) changes nothing.
 */
function setTimeLimit(turn: Turn, child: ChildState, minutes: number | null | 'config', game: string): void {
  const { state } = turn;
  const profile = profileIn(state, child.id);
  if (!profile) return;
  const weekday = calendarIn(state).weekday(state.clock.day.day);
  const before = baseLimit(child, profile, game, weekday);
  const { [game]: _, ...others } = child.record.limits;
  child.record.limits = minutes === 'config' ? others : { ...others, [game]: minutes };
  const extra = extraToday(state, child);
  if (!extra || baseLimit(child, profile, game, weekday) === before) return;
  child.record.extra =
    game === ALL_GAMES ? { ...extra, dayMs: 0 } : { ...extra, gamesMs: { ...extra.gamesMs, [game]: 0 } };
}

/**
 * Without a game every bound is lifted by so many minutes from max(used, limit) on. With one that game's budget is,
 * and the others only as far as these minutes need them; a game without a budget plays on the child's own minutes, so
 * these are lifted. A window's end moves out as much; outside of a window the minutes run from now.
 */
function extendTime(turn: Turn, child: ChildState, addMs: number, game: string | null): void {
  const { state } = turn;
  const profile = profileIn(state, child.id);
  if (!profile) return;
  const weekday = calendarIn(state).weekday(state.clock.day.day);
  const extra = extraToday(state, child) ?? noExtra(state.clock.day.day);
  const toFit = game !== null && baseLimit(child, profile, game, weekday) !== null;
  const lift = toFit ? liftToFit : liftBeyond;
  const week = profile.weekly_limit_minutes;
  const gamesMs = { ...extra.gamesMs };
  for (const { id } of state.config.games) {
    if (game !== null && id !== game) continue;
    const limit = baseLimit(child, profile, id, weekday);
    gamesMs[id] = liftBeyond(limit, gamesMs[id] ?? 0, usedToday(child, id), addMs);
  }
  child.record.extra = {
    day: extra.day,
    dayMs: lift(baseLimit(child, profile, ALL_GAMES, weekday), extra.dayMs, usedToday(child), addMs),
    weekMs: lift(week, extra.weekMs, child.restOfWeekMs + usedToday(child), addMs),
    gamesMs,
    windowUntilMs: liftedWindow(turn, child, extra, addMs, toFit),
  };
}

type Lift = (limitMinutes: number | null, extraMs: number, usedMs: number, addMs: number) => number;

/** The extra time that makes it `addMs` from max(used, limit) on. */
const liftBeyond: Lift = (limitMinutes, extraMs, usedMs, addMs) => {
  if (limitMinutes === null) return extraMs;
  const limitMs = limitMinutes * 60_000;
  return Math.max(usedMs, limitMs + extraMs) + addMs - limitMs;
};

/** The extra time that leaves at least `addMs`. */
const liftToFit: Lift = (limitMinutes, extraMs, usedMs, addMs) => {
  if (limitMinutes === null) return extraMs;
  return Math.max(extraMs, usedMs + addMs - limitMinutes * 60_000);
};

function liftedWindow(
  turn: Turn,
  child: ChildState,
  extra: Extra,
  addMs: number,
  toFit: boolean,
): number | null {
  const { state } = turn;
  const allowed = profileIn(state, child.id)?.allowed;
  if (!allowed) return extra.windowUntilMs;
  const until = allowedUntil(state, allowed, extra);
  if (until === null) return extra.windowUntilMs;
  if (!toFit) return until + addMs;
  const neededMs = state.nowMs + addMs;
  return until < neededMs ? neededMs : extra.windowUntilMs;
}

/** What is in force now, and what a client shows at once. */
function resultOf(turn: Turn, child: ChildState, command: SessionCommand): unknown {
  const { state } = turn;
  const game = 'game' in command.parameters ? command.parameters.game : undefined;
  const { playing, used_minutes_today, remaining_minutes, limited_by, paused_until, limits } = childStatus(
    state,
    child,
    game,
  );
  return {
    child_profile: child.id,
    ...(game !== undefined && { game, game_name: gameName(state, game) }),
    playing,
    paused: child.record.pause !== null,
    paused_until,
    used_minutes_today,
    remaining_minutes,
    limited_by,
    limits,
  };
}
