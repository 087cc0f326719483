/**
 * The state of a fresh actor from what the ledger kept (contract T7): the other half of ledger.ts. The actor must start
 * and must limit: a record that is not whole (saved.ts) is as good as none, and no figure reaches beyond its time.
 */
import type { LedgerSnapshot, SessionInit } from '../../protocol/messages.ts';
import { restOfWeek } from './charging.ts';
import { WRITE_EVERY_MS } from './ledger.ts';
import type { ProvenMoment } from './proven-file.ts';
import {
  isDoneCommand,
  isMoment,
  isUsageRow,
  savedChild,
  savedClock,
  savedMember,
  savedSession,
} from './saved.ts';
import {
  type ChildRecord,
  type DayUsage,
  EMPTY_DAY,
  type Member,
  memberKey,
  newChild,
  type OpenSession,
  profileIn,
  type SessionState,
  sessionKey,
} from './state.ts';
import { firstClock, type Reading } from './trusted-clock.ts';

/** The state of a fresh actor: what the ledger knows. Its first step brings it up to now. */
export function restore({ config, ledger }: SessionInit, reading: Reading): SessionState {
  const saved = savedClock(ledger.state.clock);
  const commands = ledger.state.commands;
  const state: SessionState = {
    config,
    clock: saved?.clock ?? firstClock(reading, config.day),
    reading: saved?.reading ?? reading,
    nowMs: saved?.nowMs ?? reading.wallMs,
    children: new Map(),
    sessions: new Map(),
    awaitingSnapshot: true,
    blindUntilAwakeMs: 0,
    writtenAwakeMs: Number.NEGATIVE_INFINITY,
    postedBiasMs: Number.NaN,
    commands: Array.isArray(commands) ? commands.filter(isDoneCommand) : [],
    useless: [],
    wakeAwakeMs: reading.awakeMs,
  };
  restoreSessions(state, ledger, reading);
  restoreChildren(state, ledger);
  return state;
}

/**
 * The proven moment as far as it can be one: of the boot that the ledger speaks of, and not after now. When that boot is
 * over nobody knows its last moment: what passed since by the wall clock, or between two writings, is the most.
 */
export function provenSince(
  proven: ProvenMoment | null,
  restored: SessionState,
  reading: Reading,
): ProvenMoment | null {
  const last = restored.reading;
  if (proven?.bootId !== last.bootId || !isMoment(proven.nowMs)) return null;
  const latestAwakeMs =
    reading.bootId === last.bootId
      ? reading.awakeMs
      : last.awakeMs + Math.max(WRITE_EVERY_MS, reading.wallMs - restored.nowMs);
  return { ...proven, awakeMs: Math.min(proven.awakeMs, latestAwakeMs) };
}

/** Those that are whole; what a dropped one's processes play is a new session, of which nothing is charged twice. */
function restoreSessions(state: SessionState, { state: records }: LedgerSnapshot, reading: Reading): void {
  const members = membersBySession(records);
  for (const [key, value] of Object.entries(records)) {
    if (!key.startsWith('session ')) continue;
    const session = savedSession(value, members.get(key.slice('session '.length)) ?? []);
    const place = session && key === `session ${session.id}` ? sessionKey(session.child, session.game) : null;
    if (session && place !== null && !state.sessions.has(place))
      state.sessions.set(place, asOfNow(state, session, reading.awakeMs));
  }
  const used = new Set<string>();
  for (const { id, kept } of state.sessions.values()) {
    used.add(`session ${id}`);
    for (const member of kept) used.add(memberKey(id, member));
  }
  const isOfSessions = (key: string) => key.startsWith('session ') || key.startsWith('member ');
  state.useless = Object.keys(records).filter((key) => isOfSessions(key) && !used.has(key));
}

/** The processes that are whole, in the order in which they were written. */
function membersBySession(records: LedgerSnapshot['state']): Map<string, Member[]> {
  const bySession = new Map<string, Member[]>();
  for (const [key, value] of Object.entries(records)) {
    const saved = key.startsWith('member ') ? savedMember(value) : null;
    if (!saved || key !== memberKey(saved.session, saved.member)) continue;
    const members = bySession.get(saved.session) ?? [];
    bySession.set(saved.session, members);
    members.push(saved.member);
  }
  return bySession;
}

/**
 * Whoever carried out a close went with the agent: it is due again at once, if its process is still there. Nothing was
 * charged after the last writing, nobody went after it, and no close is further off than the grace time.
 */
function asOfNow(state: SessionState, session: OpenSession, now: number): OpenSession {
  const last = state.reading.awakeMs;
  const graceMs = (profileIn(state, session.child)?.grace_seconds ?? 0) * 1_000;
  const { up, gone } = session;
  const members = session.members.map((m) =>
    m.order ? { ...m, order: { ...m.order, retryAwakeMs: Math.min(m.order.retryAwakeMs, now) } } : m,
  );
  return {
    ...session,
    members,
    chargedToAwakeMs: Math.min(session.chargedToAwakeMs, last),
    up:
      up && up.closeAwakeMs !== null
        ? { ...up, closeAwakeMs: Math.min(up.closeAwakeMs, last + graceMs) }
        : up,
    gone: gone && gone.awakeMs !== null ? { ...gone, awakeMs: Math.min(gone.awakeMs, last) } : gone,
  };
}

/** Nothing was charged and nothing told after the last writing: it would go unlimited or untold until then. */
function pastOf(record: ChildRecord, lastAwakeMs: number): ChildRecord {
  const covered = Object.entries(record.covered).map(([game, spans]) => {
    const past = spans.filter(([from]) => from < lastAwakeMs);
    return [game, past.map(([from, to]) => [from, Math.min(to, lastAwakeMs)] as const)] as const;
  });
  const told = Object.entries(record.told).filter(([, awakeMs]) => awakeMs <= lastAwakeMs);
  return { ...record, covered: Object.fromEntries(covered), told: Object.fromEntries(told) };
}

function restoreChildren(state: SessionState, ledger: LedgerSnapshot): void {
  const days = new Map<string, Map<string, DayUsage>>();
  for (const { child, day, game, usedMs, limitMinutes } of ledger.usage.filter(isUsageRow)) {
    const ofChild = days.get(child) ?? new Map<string, DayUsage>();
    days.set(child, ofChild);
    const usage = ofChild.get(day) ?? EMPTY_DAY;
    ofChild.set(day, {
      usedMs: { ...usage.usedMs, [game]: usedMs },
      limitMinutes: { ...usage.limitMinutes, [game]: limitMinutes },
    });
  }
  const kept = new Map<string, ChildRecord>();
  for (const [key, value] of Object.entries(ledger.state)) {
    if (!key.startsWith('child ')) continue;
    kept.set(key.slice('child '.length), pastOf(savedChild(value), state.reading.awakeMs));
  }
  const today = state.clock.day.day;
  for (const id of new Set([...Object.keys(state.config.profiles), ...days.keys(), ...kept.keys()])) {
    const child = newChild(id);
    child.record = kept.get(id) ?? child.record;
    const past = new Map(days.get(id));
    child.today = past.get(today) ?? EMPTY_DAY;
    past.delete(today);
    child.past = past;
    child.restOfWeekMs = restOfWeek(state, child);
    state.children.set(id, child);
  }
}
