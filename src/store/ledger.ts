/**
 * The session ledger (contract T1, T7): usage by child, day and game, sessions as they stand, and the session actor's
 * own records. Usage of a day never shrinks here, whatever is asked.
 */
import type { SessionData } from '../protocol/events.ts';
import type { LedgerPatch, UsageRow } from '../protocol/messages.ts';
import type { Clock, Ledger } from '../protocol/ports.ts';
import type { Records } from './records.ts';
import type { Row } from './rows.ts';

/** What the session actor starts from goes back so far, days: more than any week or month it counts over. */
const SNAPSHOT_DAYS = 60;
const DAY_MS = 86_400_000;

export function openLedger(
  clock: Clock,
  commit: (fn: () => void) => void,
  tables: { readonly usage: Records; readonly sessions: Records; readonly state: Records },
): Ledger {
  const { usage, sessions, state } = tables;
  const usageOf = usage.query('WHERE day BETWEEN ? AND ? ORDER BY day, child, game');
  const sessionsOf = sessions.query('WHERE last_day >= ? AND first_day <= ? ORDER BY start_ms');
  const allState = state.query('ORDER BY rowid');

  function usageBetween(from: string, to: string): UsageRow[] {
    return usage
      .select(usageOf, [from, to], (row) => String(row.day) >= from && String(row.day) <= to)
      .map(toUsage);
  }

  function putUsage({ child, day, game, usedMs, limitMinutes }: UsageRow): void {
    const before = usage.get([day, child, game]);
    usage.put([day, child, game, Math.max(usedMs, Number(before?.used_ms ?? 0)), limitMinutes]);
  }

  function putSession(session: SessionData, charged: readonly UsageRow[]): void {
    const before = sessions.get([session.session_id]);
    const known = before ? [String(before.first_day), String(before.last_day)] : [];
    const days = daysOf(session, charged, known);
    sessions.put([
      session.session_id,
      session.child_profile,
      Date.parse(session.time_start),
      session.time_end === null ? null : Date.parse(session.time_end),
      session.is_active ? 1 : 0,
      days[0] ?? '',
      days.at(-1) ?? '',
      JSON.stringify(session),
    ]);
  }

  return {
    load() {
      const from = utcDay(clock.wall() - SNAPSHOT_DAYS * DAY_MS);
      const rows = state.select(allState);
      return {
        usage: usageBetween(from, '9999-12-31'),
        state: Object.fromEntries(rows.map((row) => [String(row.key), JSON.parse(String(row.value))])),
      };
    },
    state(key) {
      const row = state.get([key]);
      return row ? JSON.parse(String(row.value)) : null;
    },
    apply(patch: LedgerPatch) {
      commit(() => {
        for (const row of patch.usage) putUsage(row);
        for (const session of patch.sessions) putSession(session, patch.usage);
        for (const [key, value] of Object.entries(patch.state)) {
          if (value === null || value === undefined) state.remove([key]);
          else state.put([key, JSON.stringify(value)]);
        }
      });
    },
    session(sessionId) {
      const row = sessions.get([sessionId]);
      return row ? toSession(row) : null;
    },
    history(child, fromDay, toDay) {
      const ours = (name: unknown) => child === null || name === child;
      const touched = (row: Row) => String(row.last_day) >= fromDay && String(row.first_day) <= toDay;
      return {
        usage: usageBetween(fromDay, toDay).filter((row) => ours(row.child)),
        sessions: sessions
          .select(sessionsOf, [fromDay, toDay], touched)
          .filter((row) => ours(row.child))
          .map(toSession),
      };
    },
  };
}

/**
 * The days a session touched, in order: its own split if it has one, else the days charged beside it, else the day it
 * began in UTC. The store does not know when a day starts; the session actor does.
 */
function daysOf(session: SessionData, charged: readonly UsageRow[], known: readonly string[]): string[] {
  const split = Object.keys(session.by_day ?? {});
  if (split.length > 0) return split.sort();
  const started = Date.parse(session.time_start);
  const earliest = utcDay(started - DAY_MS);
  const latest = utcDay((session.time_end === null ? started : Date.parse(session.time_end)) + DAY_MS);
  const days = charged
    .filter((u) => u.child === session.child_profile && u.game === session.game)
    .map((u) => u.day)
    .filter((day) => day >= earliest && day <= latest);
  const all = [...new Set([...days, ...known])].sort();
  return all.length > 0 ? all : [utcDay(started)];
}

function utcDay(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

function toUsage(row: Row): UsageRow {
  return {
    child: String(row.child),
    day: String(row.day),
    game: String(row.game),
    usedMs: Number(row.used_ms),
    limitMinutes: row.limit_minutes === null ? null : Number(row.limit_minutes),
  };
}

function toSession(row: Row): SessionData {
  return JSON.parse(String(row.value)) as SessionData;
}
