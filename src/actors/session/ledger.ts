/**
 * What is written, and when (contract T7); restore.ts reads it back. Usage rows and sessions are the store's own words; the rest
 * stands in state keys that only these two files understand: `clock`, `commands`, `child <id>`, `session <session_id>` and, for each
 * of its processes, `member <session_id> <pid> <start>`. Everything of one step goes out in one output, which main commits in one
 * transaction.
 */
import type { FromSession, LedgerPatch, UsageRow } from '../../protocol/messages.ts';
import { baseLimit, limitToday } from './budget.ts';
import { sessionData } from './events.ts';
import {
  ALL_GAMES,
  biasOf,
  type ChildState,
  calendarIn,
  isRunning,
  type Member,
  markUnwritten,
  memberKey,
  type OpenSession,
  profileIn,
  type SessionState,
  usageOn,
} from './state.ts';
import type { Reading, TrustedClock } from './trusted-clock.ts';
import { type Turn, wakeAt } from './turn.ts';

/** While somebody plays the ledger is written this often at least, ms: what a crash can make unprovable. */
export const WRITE_EVERY_MS = 30_000;
/** With nobody playing only the clock is written, this often, ms: what a boot must not fall behind. */
const WRITE_CLOCK_EVERY_MS = 5 * 60_000;
/** A bias that moved by less is not worth a message, ms. */
const BIAS_NOISE_MS = 50;

/** Under `clock`: what the next run starts its own clock from. */
export interface SavedClock {
  readonly clock: TrustedClock;
  readonly reading: Reading;
  /** Trusted time of the reading. */
  readonly nowMs: number;
}

/** Under `session <session_id>`. */
export type SavedSession = Omit<OpenSession, 'members' | 'kept'>;

/** A process of a session that is open. */
export interface SavedMember extends Member {
  readonly session: string;
}

/** The step's one message to main; null: nothing was said, done or due to be written. */
export function output(turn: Turn, force: boolean): FromSession | null {
  const { state } = turn;
  const trustedBiasMs = biasOf(state);
  const moved = !(Math.abs(trustedBiasMs - state.postedBiasMs) < BIAS_NOISE_MS);
  const write = turn.write || turn.events.length > 0 || isDue(turn, force);
  const { events, closes, withdrawn, started, stopped, command } = turn;
  const heard = started.length > 0 || stopped.length > 0;
  if (!write && !moved && closes.length === 0 && !heard && !command) return null;
  const ledger = write ? patch(turn) : { usage: [], sessions: [], state: {} };
  state.postedBiasMs = trustedBiasMs;
  const output = { events, ledger, closes, started, stopped, trustedBiasMs, command };
  return { type: 'session.output', ...output, ...(withdrawn.length > 0 && { withdrawn }) };
}

/** Asks to be woken for the next write. */
export function wakeForWrite(turn: Turn): void {
  const { writtenAwakeMs, sessions } = turn.state;
  const playing = hasUnwritten(turn.state) || [...sessions.values()].some(isRunning);
  wakeAt(turn, writtenAwakeMs + (playing ? WRITE_EVERY_MS : WRITE_CLOCK_EVERY_MS));
}

function hasUnwritten(state: SessionState): boolean {
  for (const child of state.children.values()) if (child.unwritten.length > 0) return true;
  return false;
}

function isDue(turn: Turn, force: boolean): boolean {
  const { writtenAwakeMs, reading } = turn.state;
  const age = reading.awakeMs - writtenAwakeMs;
  if (hasUnwritten(turn.state)) return force || age >= WRITE_EVERY_MS;
  return age >= WRITE_CLOCK_EVERY_MS;
}

function patch(turn: Turn): LedgerPatch {
  const { state } = turn;
  const { clock, reading, nowMs } = state;
  rememberLimits(state);
  const records: Record<string, unknown> = { clock: { clock, reading, nowMs } satisfies SavedClock };
  for (const key of state.useless) records[key] = null;
  state.useless = [];
  const usage: UsageRow[] = [];
  for (const [id, child] of state.children) {
    if (turn.write || child.unwritten.length > 0) records[`child ${id}`] = child.record;
    for (const day of child.unwritten) usage.push(...usageRows(state, child, day));
    child.unwritten = [];
  }
  if (turn.command) records.commands = state.commands;
  for (const session of state.sessions.values()) {
    Object.assign(records, memberRecords(session));
    session.kept = session.members;
    const { members, kept, ...saved } = session;
    records[`session ${session.id}`] = saved satisfies SavedSession;
  }
  for (const data of turn.ended) records[`session ${data.session_id}`] = null;
  const open = [...state.sessions.values()].map((session) => sessionData(turn, session, null));
  state.writtenAwakeMs = reading.awakeMs;
  return { usage, sessions: [...turn.ended, ...open], state: records };
}

/** Of the members those that changed since they were written: what stands before the first and behind the last of them did not. */
function memberRecords({ id, kept, members }: OpenSession): Record<string, SavedMember | null> {
  const records: Record<string, SavedMember | null> = {};
  let from = 0;
  while (from < kept.length && kept[from] === members[from]) from += 1;
  let [end, keptEnd] = [members.length, kept.length];
  for (; Math.min(end, keptEnd) > from && members[end - 1] === kept[keptEnd - 1]; end -= 1) keptEnd -= 1;
  for (const member of kept.slice(from, keptEnd)) records[memberKey(id, member)] = null;
  for (const member of members.slice(from, end)) records[memberKey(id, member)] = { session: id, ...member };
  return records;
}

/** Children who have not played yet have a row too: it says which limit the day has. */
function rememberLimits(state: SessionState): void {
  for (const child of state.children.values()) {
    if (child.today.limitMinutes[ALL_GAMES] === undefined && profileIn(state, child.id))
      markUnwritten(child, state.clock.day.day);
  }
}

/** The rows of one day. Today's carry the limits in force now; they stay with the day when it is past. */
function usageRows(state: SessionState, child: ChildState, day: string): UsageRow[] {
  const today = state.clock.day.day;
  const usage = usageOn(child, today, day);
  const profile = profileIn(state, child.id);
  const limitOf = (game: string): number | null => {
    if (day === today) return limitToday(state, child, game);
    const then = usage.limitMinutes[game];
    if (then !== undefined || !profile) return then ?? null;
    return baseLimit(child, profile, game, calendarIn(state).weekday(day));
  };
  const games = new Set(
    day === today ? [ALL_GAMES, ...Object.keys(usage.usedMs)] : Object.keys(usage.usedMs),
  );
  const limits = [...games].map((game) => [game, limitOf(game)] as const);
  if (day === today) child.today = { ...usage, limitMinutes: Object.fromEntries(limits) };
  return limits.map(([game, limitMinutes]) => {
    const usedMs = usage.usedMs[game] ?? 0;
    return { child: child.id, day, game, usedMs, limitMinutes };
  });
}
