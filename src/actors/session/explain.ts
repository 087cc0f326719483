/**
 * Why a warning, a close or a refusal happened: in data a program can show, and in one sentence a parent
 * understands. Words only; nothing is decided here.
 */
import type { Explanation } from '../../protocol/events.ts';
import type { Bound } from './budget.ts';
import { iso, minutes } from './figures.ts';
import { type ChildState, calendarIn, gameName, profileIn, type SessionState } from './state.ts';

/** The data of an explanation around a sentence. */
export function explain(state: SessionState, bound: Bound, sentence: string): Explanation {
  return {
    rule: bound.by,
    sentence,
    ...(bound.usedMs !== undefined && { used_minutes: minutes(bound.usedMs) }),
    ...(bound.limitMs !== undefined && { limit_minutes: minutes(bound.limitMs) }),
    ...(bound.extraMs ? { extra_minutes: minutes(bound.extraMs) } : {}),
    clock: iso(state.nowMs),
  };
}

/** `60 of 60 minutes used today, 15 extra minutes included`; no capital, no full stop. */
export function reason(state: SessionState, child: ChildState, game: string, bound: Bound): string {
  switch (bound.by) {
    case 'day':
      return `${used(bound)} used today${extra(bound)}`;
    case 'week':
      return `${used(bound)} used this week${extra(bound)}`;
    case 'game':
      return `${used(bound)} of ${gameName(state, game)} used today${extra(bound)}`;
    case 'window':
      return windowReason(state, child, bound);
    case 'pause':
      return `play is paused ${pauseEnd(state, child)}`;
    default:
      return bound.by satisfies never;
  }
}

/** `1 minute`, `4.5 minutes`, `120 minutes`, `20 seconds`, `26 hours`. */
export function duration(ms: number): string {
  if (ms > 0 && ms < 500) return 'less than a second';
  const [count, unit] =
    ms > 0 && ms < 59_500
      ? [Math.round(ms / 1_000), 'second']
      : ms < 10 * 3_600_000
        ? [asSaid(ms / 60_000), 'minute']
        : [tenths(ms / 3_600_000), 'hour'];
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

/** `19:31` on the child's wall. */
export function clockTime(state: SessionState, ms: number): string {
  return calendarIn(state).clockTime(ms);
}

function windowReason(state: SessionState, child: ChildState, bound: Bound): string {
  if (bound.remainingMs > 0)
    return `play is allowed until ${clockTime(state, state.nowMs + bound.remainingMs)}`;
  const allowed = profileIn(state, child.id)?.allowed;
  const next = allowed ? calendarIn(state).windowNear(allowed, state.nowMs) : null;
  if (!next) return 'play is not allowed at this time';
  const soon = next.fromMs - state.nowMs < 20 * 3_600_000;
  const day = soon ? '' : `on ${calendarIn(state).weekdayName(next.fromMs)} `;
  return `play is not allowed at this time, again ${day}from ${clockTime(state, next.fromMs)}`;
}

function pauseEnd(state: SessionState, child: ChildState): string {
  const untilMs = child.record.pause?.untilMs ?? null;
  return untilMs === null ? 'until a parent resumes it' : `until ${clockTime(state, untilMs)}`;
}

function used(bound: Bound): string {
  const limit = tenths((bound.limitMs ?? 0) / 60_000);
  const minutesUsed = (bound.usedMs ?? 0) / 60_000;
  // What a grace time adds is in the data; `120.5 of 120` only makes people wonder.
  const told = Number.isInteger(limit) ? asSaid(minutesUsed) : tenths(minutesUsed);
  return `${told} of ${limit} minute${limit === 1 ? '' : 's'}`;
}

function extra(bound: Bound): string {
  if (!bound.extraMs) return '';
  const count = tenths(bound.extraMs / 60_000);
  return `, ${count} extra minute${count === 1 ? '' : 's'} included`;
}

/** Whole minutes from ten on, as people count them: the last one counts when it is full, give or take three seconds. */
function asSaid(value: number): number {
  return value < 10 ? tenths(value) : Math.floor(value + 0.05);
}

/** To the tenth; what is less than two to the hundredth. */
function tenths(value: number): number {
  return value < 2 ? Math.round(value * 100) / 100 : Math.round(value * 10) / 10;
}
