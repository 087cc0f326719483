/** The bodies of the events that the session actor tells (contract 6, E1, E4), made from its state. */
import type { EventBody, Explanation, SessionData, SessionEvent } from '../../protocol/events.ts';
import { boundsOf } from './budget.ts';
import { clockTime, duration } from './explain.ts';
import { iso, minutes } from './figures.ts';
import { ALL_GAMES, gameName, type OpenSession, profileIn, type SessionState, usageOn } from './state.ts';
import type { ClockChange } from './trusted-clock.ts';
import { childOf, type Turn } from './turn.ts';

type NotificationType =
  | 'time_limit_warning'
  | 'time_limit_exceeded'
  | 'session_end'
  | 'close_failed'
  | 'pause'
  | 'message';

/**
 * The session as it stands. `endMs` null: it runs. Its duration is what was charged: suspends and the moments
 * between two processes are not in it.
 */
export function sessionData(turn: Turn, session: OpenSession, endMs: number | null): SessionData {
  const { state } = turn;
  const child = childOf(turn, session.child);
  const { tightest } = boundsOf(state, child, session.game);
  const today = state.clock.day.day;
  const days = Object.keys(session.byDay);
  const startDay = iso(session.startMs).slice(0, 10);
  // Also when its one day is not the one that its UTC start suggests.
  const named = days.length > 1 || (days[0] !== undefined && days[0] !== startDay);
  return {
    session_id: session.id,
    child_profile: session.child,
    game: session.game,
    time_start: iso(session.startMs),
    time_end: endMs === null ? null : iso(endMs),
    duration_seconds: Math.round(session.chargedMs) / 1_000,
    duration_minutes: minutes(session.chargedMs),
    is_active: endMs === null,
    used_minutes_today: minutes(usageOn(child, today, today).usedMs[ALL_GAMES] ?? 0),
    remaining_minutes: tightest ? minutes(tightest.remainingMs) : null,
    limited_by: tightest?.by ?? null,
    gaps: session.gaps,
    ...(named && {
      by_day: Object.fromEntries(Object.entries(session.byDay).map(([day, ms]) => [day, minutes(ms)])),
    }),
  };
}

export function sessionEvent(
  event_type: SessionEvent['event_type'],
  session_data: SessionData,
): SessionEvent {
  return { type: 'session_event', event_type, data: { session_data } };
}

export function notification(
  session: OpenSession,
  type: NotificationType,
  title: string,
  message: string,
  why?: Explanation,
): EventBody {
  const { id: session_id, child: child_profile } = session;
  return {
    type: 'notification',
    data: { title, message, type, child_profile, session_id, ...(why && { why }) },
  };
}

/** What is told at the end of a session, in the order of E4. */
export function endOfSession(state: SessionState, session: OpenSession, data: SessionData): EventBody[] {
  const game = gameName(state, session.game);
  const name = profileIn(state, session.child)?.name ?? session.child;
  const left = leftText(data.remaining_minutes);
  const from = clockTime(state, session.startMs);
  const to = data.time_end === null ? from : clockTime(state, Date.parse(data.time_end));
  const played = `${name} played ${game} for ${duration(session.chargedMs)}, ${from} to ${to}.${left}`;
  return [
    sessionEvent('session_ended', data),
    notification(session, 'session_end', `${game} session ended`, played),
    { type: 'firebase_sync_request', data: { data_type: 'session', data } },
  ];
}

function leftText(minutesLeft: number | null): string {
  if (minutesLeft === null) return '';
  return minutesLeft === 0 ? ' No time is left for now.' : ` ${duration(minutesLeft * 60_000)} left for now.`;
}

/** T1: told at once, taken over at `adoptsMs`. */
export function clockChanged(state: SessionState, change: ClockChange, adoptsMs: number): EventBody {
  const common = {
    trusted_time: iso(state.nowMs),
    wall_time: iso(state.reading.wallMs),
    adopted_at: iso(adoptsMs),
  };
  const data =
    change.kind === 'zone'
      ? {
          message: `The time zone of the PC was changed from ${change.from} to ${change.to}; days follow it from the next day start on.`,
          kind: 'zone',
          zone_from: change.from,
          zone_to: change.to,
        }
      : {
          message: `The clock of the PC was set ${duration(Math.abs(change.stepMs))} ${change.stepMs < 0 ? 'back' : 'forward'}; ${
            Math.abs(change.offMs) > 300_000
              ? 'days and limits keep to the trusted clock until the next day start.'
              : 'it agrees with the trusted clock again.'
          }`,
          kind: 'step',
          step_seconds: Math.round(change.stepMs) / 1_000,
          off_seconds: Math.round(change.offMs) / 1_000,
        };
  return { type: 'agent_event', event_type: 'clock_changed', data: { ...data, ...common } };
}
