/**
 * From processes to sessions (contract E1, T3, T7): a session is the union of a game's processes of one child, and
 * ends when none came back in time. Who starts, stops, is found again or lost is decided here.
 */
import type { HeardBySession, PlayedProcess, ProcessIdentity, StoppedBy } from '../../protocol/messages.ts';
import { type Bound, boundsOf } from './budget.ts';
import { charge, chargeMember, chargeTo, noteGap } from './charging.ts';
import { uncoveredFrom } from './coverage.ts';
import { causeOf, refuseStart, withdrawOrders } from './enforcement.ts';
import { endOfSession, sessionData, sessionEvent } from './events.ts';
import {
  biasOf,
  type Gone,
  isRunning,
  type Member,
  memberKey,
  type OpenSession,
  profileIn,
  type SessionState,
  sessionKey,
} from './state.ts';
import { childOf, type Turn, wakeAt } from './turn.ts';

type Snapshot = Extract<HeardBySession, { type: 'processes.snapshot' }>;

/** A stretch without the agent shorter than this is not worth a line, ms. */
const SHORTEST_GAP_MS = 1_000;
/** So many starts of a child are remembered: more than sessions can be told late at once. */
const REMEMBERED_STARTS = 256;

/**
 * A game process runs, or ran up to `ranToAwakeMs`. One that nobody limits (no child, or none that is configured) makes no
 * session. `before`: what bounds it, from before it is charged.
 */
export function processStarted(
  turn: Turn,
  process: PlayedProcess,
  childId: string | null,
  ranToAwakeMs = turn.state.reading.awakeMs,
  before = boundBefore(turn, process, childId),
): void {
  const { state } = turn;
  turn.started.push({ pid: process.pid, startKey: process.startKey });
  if (childId === null || !profileIn(state, childId)) return;
  if (!state.config.games.some((g) => g.id === process.game)) return;
  const now = state.reading.awakeMs;
  const startAwakeMs = Math.min(process.startedAwakeMs, now);
  const open = state.sessions.get(sessionKey(childId, process.game));
  if (open?.members.some((m) => isSame(m, process))) return;

  const continued = open && comesBackInTime(turn, open, startAwakeMs) ? open : null;
  if (open && !continued) endSession(turn, open);
  const session = continued ?? openSession(turn, childId, process.game, startAwakeMs);
  const ranTo = Math.max(startAwakeMs, Math.min(ranToAwakeMs, now));
  if (isRunning(session)) chargeTo(turn, session, ranTo);
  session.members = [
    ...session.members,
    newMember(process, ranTo < session.chargedToAwakeMs ? ranTo : undefined),
  ];
  session.gone = null;
  charge(turn, session, startAwakeMs, ranTo);
  if (ranTo >= session.chargedToAwakeMs) {
    session.chargedToAwakeMs = ranTo;
    session.provenMs = ranTo + biasOf(state);
  }
  if (!continued) turn.events.push(sessionEvent('session_started', sessionData(turn, session, null)));
  if (before && before.remainingMs <= 0) refuseStart(turn, session, before, continued !== null);
  turn.write = true;
}

/** A whole play, heard of when it is over: the session may know its start already. */
export function processPlayed(turn: Turn, played: Extract<HeardBySession, { type: 'process.played' }>): void {
  const { process, child, endedAwakeMs, by } = played;
  processStarted(turn, process, child, endedAwakeMs ?? process.startedAwakeMs);
  processStopped(turn, process, endedAwakeMs, by);
}

/** A game process went. `endedAwakeMs` null: nobody saw when, so the last moment that is proven is taken. */
export function processStopped(
  turn: Turn,
  identity: ProcessIdentity,
  endedAwakeMs: number | null,
  by: StoppedBy | undefined,
): void {
  turn.stopped.push({ pid: identity.pid, startKey: identity.startKey });
  const isUnseen = endedAwakeMs === null && turn.state.awaitingSnapshot;
  for (const session of turn.state.sessions.values()) {
    const member = session.members.find((m) => isSame(m, identity));
    if (!member) continue;
    const ranTo = Math.min(endedAwakeMs ?? provenTo(turn), turn.state.reading.awakeMs);
    chargeTo(turn, session, ranTo);
    chargeMember(turn, session, member, ranTo);
    const rest = session.members.filter((m) => m !== member);
    // It runs on, as no game of this child's.
    if (by === 'config' && member.order)
      turn.withdrawn.push({ pid: identity.pid, startKey: identity.startKey });
    if (rest.length > 0) session.members = rest;
    else leave(turn, session, by ?? causeOf(member) ?? (isUnseen ? 'agent_down' : 'exit'));
    turn.write = true;
  }
}

/**
 * All that runs, compared with what is open. A session whose processes are all gone ended at the last proven moment;
 * one that still runs after the agent was away is charged for the time between, and lists it.
 */
export function reconcile(turn: Turn, { processes: running }: Snapshot): void {
  const { state } = turn;
  const restored = state.awaitingSnapshot;
  const provenToAwakeMs = provenTo(turn);
  const byStart = [...running].sort((a, b) => a.process.startedAwakeMs - b.process.startedAwakeMs);
  // What others played since the last look may have used up the time that was left when it began.
  const before = byStart.map(({ process, child }) => boundThen(turn, process, child));
  state.awaitingSnapshot = false;
  for (const session of state.sessions.values()) {
    if (!isRunning(session)) continue;
    const here = new Set(
      running
        .filter((r) => r.child === session.child && r.process.game === session.game)
        .map((r) => memberKey(session.id, r.process)),
    );
    const still = session.members.filter((m) => here.has(memberKey(session.id, m)));
    const [lost] = session.members;
    if (still.length === 0 && lost) {
      chargeTo(turn, session, provenToAwakeMs);
      leave(turn, session, causeOf(lost) ?? (restored ? 'agent_down' : 'exit'));
      continue;
    }
    session.members = still;
    if (restored) chargeAbsence(turn, session);
  }
  for (const [i, { process, child }] of byStart.entries())
    processStarted(turn, process, child, turn.seenAwakeMs, before[i]);
  turn.write = true;
}

function boundBefore({ state }: Turn, { game }: PlayedProcess, childId: string | null): Bound | null {
  const child = childId === null ? undefined : state.children.get(childId);
  return child ? boundsOf(state, child, game).tightest : null;
}

/** The looser of what bounds it now and what did when it began: a window may have closed since, or opened. */
function boundThen(turn: Turn, process: PlayedProcess, childId: string | null): Bound | null {
  const { state } = turn;
  const now = boundBefore(turn, process, childId);
  if (!now || now.remainingMs > 0) return now;
  const nowMs = Math.max(process.startedAwakeMs + biasOf(state), state.clock.day.startMs);
  const then = boundBefore(
    { ...turn, state: { ...state, nowMs: Math.min(nowMs, state.nowMs) } },
    process,
    childId,
  );
  return then && then.remainingMs <= 0 ? now : then;
}

/**
 * The machine slept for so long, after `afterAwakeMs`: of the rejoin time that was left then so much is over. What came back
 * before the sleep may be heard of only now, and is in time as before.
 */
export function sleepGone(turn: Turn, asleepMs: number, afterAwakeMs: number): void {
  for (const session of turn.state.sessions.values()) {
    const { gone } = session;
    if (!gone) continue;
    const leftMs = rejoinEnd(turn.state, gone) - afterAwakeMs;
    if (leftMs <= 0) continue;
    session.gone = { ...gone, sleptMs: (gone.sleptMs ?? 0) + Math.min(asleepMs, leftMs) };
    turn.write = true;
  }
}

/** Sessions that nothing came back to in time are over. `mayEnd`: nothing waits behind this step that may have come back. */
export function endOverdue(turn: Turn, mayEnd: boolean): void {
  const { state } = turn;
  for (const session of [...state.sessions.values()]) {
    if (!session.gone) continue;
    const until = rejoinEnd(state, session.gone);
    const ends = Number.isFinite(until) ? Math.max(until, state.blindUntilAwakeMs) : until;
    if (mayEnd && state.reading.awakeMs >= ends) endSession(turn, session);
    else wakeAt(turn, ends);
  }
}

/** Sessions of a child or game that is not configured any more end now. */
export function endUnconfigured(turn: Turn): void {
  const { state } = turn;
  for (const session of [...state.sessions.values()]) {
    const known = state.config.games.some((g) => g.id === session.game);
    if (known && profileIn(state, session.child)) continue;
    if (isRunning(session)) {
      withdrawOrders(turn, session);
      leave(turn, session, 'config');
    }
    endSession(turn, session);
  }
}

/**
 * No process survives a boot: every session ended at its last proven moment. That is told with the first snapshot:
 * before it main has told the stops (contract E4).
 */
export function leaveAtBoot(turn: Turn): void {
  for (const session of turn.state.sessions.values()) {
    if (isRunning(session)) leave(turn, session, 'machine_restart');
    if (session.gone) session.gone = { ...session.gone, awakeMs: null };
  }
}

/**
 * Up to when it is proven, awake clock, that what is gone now still ran: the last look. A fresh actor that waits for its
 * first snapshot has seen nothing beyond what was charged.
 */
function provenTo({ state, lookedAwakeMs }: Turn): number {
  return state.awaitingSnapshot ? Number.NEGATIVE_INFINITY : Math.min(lookedAwakeMs, state.reading.awakeMs);
}

/** Its figures are those of the moment it went, which may be heard of late: a window has less left by then. */
function leave(turn: Turn, session: OpenSession, reason: string): void {
  session.members = [];
  const { state } = turn;
  const isToday = session.provenMs >= state.clock.day.startMs;
  const then = isToday ? { ...turn, state: { ...state, nowMs: session.provenMs } } : turn;
  const data = sessionData(then, session, session.provenMs);
  session.gone = { awakeMs: session.chargedToAwakeMs, reason, data };
}

function endSession(turn: Turn, session: OpenSession): void {
  const data = { ...(session.gone?.data ?? sessionData(turn, session, session.provenMs)) };
  data.end_reason = session.gone?.reason ?? 'exit';
  turn.events.push(...endOfSession(turn.state, session, data));
  turn.ended.push(data);
  const rows = session.kept.map((member) => memberKey(session.id, member));
  turn.state.useless = [...turn.state.useless, ...rows];
  turn.state.sessions.delete(sessionKey(session.child, session.game));
  turn.write = true;
}

function openSession(turn: Turn, childId: string, game: string, startAwakeMs: number): OpenSession {
  const { state } = turn;
  const child = childOf(turn, childId);
  const covered = child.record.covered[game] ?? [];
  const fromAwakeMs = Math.min(uncoveredFrom(covered, startAwakeMs), state.reading.awakeMs);
  const startMs = uniqueStart(turn, childId, Math.floor(fromAwakeMs + biasOf(state)));
  child.record.starts = [...child.record.starts, startMs].slice(-REMEMBERED_STARTS);
  const session: OpenSession = {
    id: `${childId}_${startMs}`,
    child: childId,
    game,
    startMs,
    members: [],
    kept: [],
    chargedToAwakeMs: fromAwakeMs,
    provenMs: startMs,
    chargedMs: 0,
    byDay: {},
    gaps: [],
    up: null,
    gone: null,
    orders: 0,
  };
  state.sessions.set(sessionKey(childId, game), session);
  return session;
}

/**
 * Starts are told to 10 ms on Linux, and games started in the same tick still are sessions of their own, those that are over
 * or heard of late too: a start gets the next millisecond that is free.
 */
function uniqueStart(turn: Turn, childId: string, startMs: number): number {
  const taken = new Set(childOf(turn, childId).record.starts);
  for (const s of turn.state.sessions.values()) if (s.child === childId) taken.add(s.startMs);
  let free = startMs;
  while (taken.has(free)) free += 1;
  return free;
}

function comesBackInTime(turn: Turn, session: OpenSession, startAwakeMs: number): boolean {
  return !session.gone || startAwakeMs <= rejoinEnd(turn.state, session.gone);
}

/** Until then what comes back is the same play, awake clock: it stands still in sleep, the rejoin time does not. */
function rejoinEnd(state: SessionState, { awakeMs, sleptMs = 0 }: Gone): number {
  if (awakeMs === null) return Number.NEGATIVE_INFINITY;
  return awakeMs + state.config.sessions.rejoin_seconds * 1_000 - sleptMs;
}

function chargeAbsence(turn: Turn, session: OpenSession): void {
  const { nowMs } = turn.state;
  const fromMs = session.provenMs;
  const absentMs = Math.max(0, turn.seenAwakeMs - session.chargedToAwakeMs);
  chargeTo(turn, session, turn.seenAwakeMs);
  if (nowMs - fromMs >= SHORTEST_GAP_MS) noteGap(session, fromMs, nowMs, absentMs, 'agent_down');
}

function newMember({ pid, startKey, name }: PlayedProcess, ranToAwakeMs: number | undefined): Member {
  return { pid, startKey, name, order: null, ...(ranToAwakeMs !== undefined && { ranToAwakeMs }) };
}

function isSame(a: ProcessIdentity, b: ProcessIdentity): boolean {
  return a.pid === b.pid && a.startKey === b.startKey;
}
