/**
 * The state of a fresh actor from what the ledger kept (contract T7): the other half of ledger.ts. A record that is
 * not whole (a damaged database) is as good as none, since the agent must start.
 */
import type { LedgerSnapshot, SessionInit } from '../../protocol/messages.ts';
import { restOfWeek } from './charging.ts';
import type { SavedClock } from './ledger.ts';
import {
  type ChildRecord,
  type DayUsage,
  type DoneCommand,
  EMPTY_DAY,
  newChild,
  type OpenSession,
  type SessionState,
  sessionKey,
} from './state.ts';
import { firstClock, type Reading } from './trusted-clock.ts';

/** The state of a fresh actor: what the ledger knows. Its first step brings it up to now. */
export function restore({ config, ledger }: SessionInit, reading: Reading): SessionState {
  const saved = savedClock(ledger.state.clock);
  const clock = saved?.clock ?? firstClock(reading, config.day);
  const state: SessionState = {
    config,
    clock,
    reading: saved?.reading ?? reading,
    nowMs: saved?.nowMs ?? reading.wallMs,
    children: new Map(),
    sessions: restoreSessions(ledger, reading),
    awaitingSnapshot: false,
    unwritten: new Set(),
    writtenAwakeMs: Number.NEGATIVE_INFINITY,
    postedBiasMs: Number.NaN,
    commands: savedCommands(ledger.state.commands),
    wakeAwakeMs: reading.awakeMs,
  };
  // Also of one that waits for its rejoin only a snapshot shows whether the game came back in time.
  state.awaitingSnapshot = state.sessions.size > 0;
  restoreChildren(state, ledger);
  return state;
}

function restoreSessions(ledger: LedgerSnapshot, reading: Reading): Map<string, OpenSession> {
  const sessions = new Map<string, OpenSession>();
  for (const [key, value] of Object.entries(ledger.state)) {
    const session = key.startsWith('session ') ? savedSession(value) : null;
    if (session) sessions.set(sessionKey(session.child, session.game), orderAgain(session, reading.awakeMs));
  }
  return sessions;
}

/** Whoever carried out a close went with the agent: it is due again at once, if its process is still there. */
function orderAgain(session: OpenSession, now: number): OpenSession {
  const members = session.members.map((m) =>
    m.order ? { ...m, order: { ...m.order, retryAwakeMs: Math.min(m.order.retryAwakeMs, now) } } : m,
  );
  return { ...session, members };
}

function restoreChildren(state: SessionState, ledger: LedgerSnapshot): void {
  const days = new Map<string, Map<string, DayUsage>>();
  for (const { child, day, game, usedMs, limitMinutes } of ledger.usage) {
    const ofChild = days.get(child) ?? new Map<string, DayUsage>();
    days.set(child, ofChild);
    const usage = ofChild.get(day) ?? EMPTY_DAY;
    ofChild.set(day, {
      usedMs: { ...usage.usedMs, [game]: usedMs },
      limitMinutes: { ...usage.limitMinutes, [game]: limitMinutes },
    });
  }
  const records = Object.entries(ledger.state).filter(
    ([key, value]) => key.startsWith('child ') && typeof value === 'object' && value !== null,
  );
  const kept = new Map(records.map(([key, value]) => [key.slice('child '.length), value as ChildRecord]));
  const today = state.clock.day.day;
  for (const id of new Set([...Object.keys(state.config.profiles), ...days.keys(), ...kept.keys()])) {
    const child = newChild(id);
    child.record = { ...child.record, ...kept.get(id) };
    const past = new Map(days.get(id));
    child.today = past.get(today) ?? EMPTY_DAY;
    past.delete(today);
    child.past = past;
    child.restOfWeekMs = restOfWeek(state, child);
    state.children.set(id, child);
  }
}

function savedClock(value: unknown): SavedClock | null {
  const saved = value as Partial<SavedClock> | null | undefined;
  const whole =
    typeof saved?.nowMs === 'number' &&
    typeof saved.clock?.baseMs === 'number' &&
    typeof saved.clock.day?.endMs === 'number' &&
    typeof saved.reading?.awakeMs === 'number';
  return whole ? (saved as SavedClock) : null;
}

function savedCommands(value: unknown): readonly DoneCommand[] {
  const saved: Partial<DoneCommand | null>[] = Array.isArray(value) ? value : [];
  return saved.filter((c): c is DoneCommand => typeof c?.id === 'string' && typeof c.atMs === 'number');
}

function savedSession(value: unknown): OpenSession | null {
  const session = value as Partial<OpenSession> | null;
  const whole =
    typeof session?.id === 'string' &&
    typeof session.chargedToAwakeMs === 'number' &&
    Array.isArray(session.members);
  return whole ? (session as OpenSession) : null;
}
