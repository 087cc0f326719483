/**
 * What is written and how it is restored (contract T7). Usage rows and sessions are the store's own words; the rest
 * stands in state keys that only this file understands: `clock`, `child <id>`, `session <session_id>`. Everything of
 * one step goes out in one output, which main commits in one transaction.
 */
import type {
  FromSession,
  LedgerPatch,
  LedgerSnapshot,
  SessionInit,
  UsageRow,
} from '../../protocol/messages.ts';
import { baseLimit, limitToday } from './budget.ts';
import { restOfWeek } from './charging.ts';
import { sessionData } from './events.ts';
import {
  biasOf,
  type ChildRecord,
  type ChildState,
  calendarIn,
  type DayUsage,
  EMPTY_DAY,
  isRunning,
  newChild,
  type OpenSession,
  profileIn,
  type SessionState,
  sessionKey,
  usageOn,
} from './state.ts';
import { firstClock, type Reading, type TrustedClock } from './trusted-clock.ts';
import { type Turn, wakeAt } from './turn.ts';

/** While somebody plays the ledger is written this often at least, ms: what a crash can make unprovable. */
const WRITE_EVERY_MS = 30_000;
/** With nobody playing only the clock is written, this often, ms: what a boot must not fall behind. */
const WRITE_CLOCK_EVERY_MS = 5 * 60_000;
/** A bias that moved by less is not worth a message, ms. */
const BIAS_NOISE_MS = 50;

interface SavedClock {
  readonly clock: TrustedClock;
  readonly reading: Reading;
  /** Trusted time of the reading. */
  readonly nowMs: number;
}

/** The state of a fresh actor: what the ledger knows. Its first step brings it up to now. */
export function restore({ config, ledger }: SessionInit, reading: Reading): SessionState {
  const saved = ledger.state.clock as SavedClock | undefined;
  const clock = saved?.clock ?? firstClock(reading, config.day);
  const state: SessionState = {
    config,
    clock,
    reading: saved?.reading ?? reading,
    nowMs: saved?.nowMs ?? reading.wallMs,
    children: new Map(),
    sessions: restoreSessions(ledger),
    awaitingSnapshot: false,
    unwritten: new Set(),
    writtenAwakeMs: Number.NEGATIVE_INFINITY,
    postedBiasMs: Number.NaN,
    wakeAwakeMs: reading.awakeMs,
  };
  state.awaitingSnapshot = [...state.sessions.values()].some(isRunning);
  restoreChildren(state, ledger);
  return state;
}

/** The step's one message to main; null: nothing was said, done or due to be written. */
export function output(turn: Turn, force: boolean): FromSession | null {
  const { state } = turn;
  const trustedBiasMs = biasOf(state);
  const moved = !(Math.abs(trustedBiasMs - state.postedBiasMs) < BIAS_NOISE_MS);
  const write = turn.write || turn.events.length > 0 || isDue(turn, force);
  if (!write && !moved && turn.closes.length === 0 && !turn.command) return null;
  const ledger = write ? patch(turn) : { usage: [], sessions: [], state: {} };
  state.postedBiasMs = trustedBiasMs;
  const { events, closes, command } = turn;
  return { type: 'session.output', events, ledger, closes, trustedBiasMs, command };
}

/** Asks to be woken for the next write. */
export function wakeForWrite(turn: Turn): void {
  const { unwritten, writtenAwakeMs, sessions } = turn.state;
  const playing = unwritten.size > 0 || [...sessions.values()].some(isRunning);
  wakeAt(turn, writtenAwakeMs + (playing ? WRITE_EVERY_MS : WRITE_CLOCK_EVERY_MS));
}

function isDue(turn: Turn, force: boolean): boolean {
  const { unwritten, writtenAwakeMs, reading } = turn.state;
  const age = reading.awakeMs - writtenAwakeMs;
  if (unwritten.size > 0) return force || age >= WRITE_EVERY_MS;
  return age >= WRITE_CLOCK_EVERY_MS;
}

function patch(turn: Turn): LedgerPatch {
  const { state } = turn;
  const { clock, reading, nowMs } = state;
  const records: Record<string, unknown> = { clock: { clock, reading, nowMs } satisfies SavedClock };
  const usage: UsageRow[] = [];
  const touched = new Set<string>();
  for (const key of state.unwritten) {
    const [id = '', day = ''] = key.split(' ');
    const child = state.children.get(id);
    if (!child) continue;
    touched.add(id);
    usage.push(...usageRows(state, child, day));
  }
  for (const [id, child] of state.children)
    if (turn.write || touched.has(id)) records[`child ${id}`] = child.record;
  for (const session of state.sessions.values()) records[`session ${session.id}`] = session;
  for (const data of turn.ended) records[`session ${data.session_id}`] = null;
  const open = [...state.sessions.values()].map((session) => sessionData(turn, session, null));
  state.unwritten = new Set();
  state.writtenAwakeMs = reading.awakeMs;
  return { usage, sessions: [...turn.ended, ...open], state: records };
}

/** The rows of one day. Today's carry the limits in force now; they stay with the day when it is past. */
function usageRows(state: SessionState, child: ChildState, day: string): UsageRow[] {
  const today = state.clock.day.day;
  const usage = usageOn(child, today, day);
  const games = Object.keys(usage.usedMs);
  const profile = profileIn(state, child.id);
  const weekday = calendarIn(state).weekday(day);
  const limitMinutes: Record<string, number | null> = {};
  for (const game of games) {
    limitMinutes[game] =
      day === today
        ? limitToday(state, child, game)
        : (usage.limitMinutes[game] ?? (profile ? baseLimit(child, profile, game, weekday) : null));
  }
  if (day === today && games.length > 0) child.today = { ...usage, limitMinutes };
  return games.map((game) => ({
    child: child.id,
    day,
    game,
    usedMs: usage.usedMs[game] ?? 0,
    limitMinutes: limitMinutes[game] ?? null,
  }));
}

function restoreSessions(ledger: LedgerSnapshot): Map<string, OpenSession> {
  const sessions = new Map<string, OpenSession>();
  for (const [key, value] of Object.entries(ledger.state)) {
    if (!key.startsWith('session ') || value === null) continue;
    const session = value as OpenSession;
    sessions.set(sessionKey(session.child, session.game), { ...session });
  }
  return sessions;
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
    ([key, value]) => key.startsWith('child ') && value !== null,
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
