/**
 * What happens when nothing is left (contract T6): it is told, after the grace time the game is closed, a start
 * while nothing is left is closed on sight, and a close that failed is tried again. A pause closes whatever
 * `auto_close` says: it is a parent's own word.
 */
import type { CloseReport } from '../../protocol/commands.ts';
import type { LimitName } from '../../protocol/events.ts';
import type { Bound, Bounds } from './budget.ts';
import { notification } from './events.ts';
import { clockTime, duration, explain, reason } from './explain.ts';
import { calendarIn, gameName, type Member, type OpenSession, profileIn, type TimeUp } from './state.ts';
import { childOf, mayTell, type Turn, wakeAt, wakeAtTime, wasToldLately } from './turn.ts';

const LIMITS: readonly LimitName[] = ['day', 'week', 'game', 'window', 'pause'];
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;
/** A close of which nothing was heard is ordered again this long after its own waiting time, ms. */
const UNREPORTED_MS = 15_000;

/** Looks at one running session and what bounds it. */
export function enforce(turn: Turn, session: OpenSession, bounds: Bounds): void {
  const now = turn.state.reading.awakeMs;
  const bound = bounds.tightest;
  if (!bound || bound.remainingMs > 0) {
    timeIsNotUp(turn, session);
    if (bound) wakeAt(turn, now + bound.remainingMs);
    return;
  }
  if (bound.by === 'window') wakeAtOpening(turn, session);
  const graceMs = graceOf(turn, session);
  const closing = mustClose(turn, session, bound);
  if (!session.up) {
    session.up = { by: bound.by, closeAwakeMs: closing ? now + graceMs : null };
    turn.write = true;
    tellUp(turn, session, bound, closing ? closedIn(graceMs) : 'It is not closed.');
  } else if (closing !== (session.up.closeAwakeMs !== null) || session.up.by !== bound.by) {
    session.up = upByOther(turn, session, session.up, bound, closing ? graceMs : null);
  }
  const limitIsUp = bounds.limit !== null && bounds.limit.remainingMs <= 0;
  if (session.up.overLimit && !limitIsUp) limitIsLifted(turn, session, session.up);
  if (session.up.closeAwakeMs !== null) closeWhenDue(turn, session, bound, session.up.closeAwakeMs);
}

/** A parent gave time while play was paused: if it is used up when the pause is over, that is another end. */
function limitIsLifted(turn: Turn, session: OpenSession, up: TimeUp): void {
  session.up = { ...up, overLimit: false };
  turn.write = true;
}

/** What ran on until its window opened has time again, and warnings of it: not only from the next look on. */
function wakeAtOpening(turn: Turn, session: OpenSession): void {
  const { state } = turn;
  const allowed = profileIn(state, session.child)?.allowed;
  const opensMs = allowed ? calendarIn(state).windowAt(allowed, state.nowMs).untilMs : null;
  if (opensMs !== null) wakeAtTime(turn, opensMs);
}

/**
 * It is up by another bound now. Between a pause and a limit, and when it begins or ceases to be closed, that is news of
 * its own and told. A limit that first shows when a pause is over has its own grace time, but for a game that was to be
 * closed already. From one limit to the next, into a pause and out of it again, the grace time goes on: what the child plays on
 * never begins it anew.
 */
function upByOther(
  turn: Turn,
  session: OpenSession,
  up: TimeUp,
  bound: Bound,
  graceMs: number | null,
): TimeUp {
  const now = turn.state.reading.awakeMs;
  const showsFirst = up.by === 'pause' && !up.overLimit && (up.closeAwakeMs ?? now) > now;
  const closeAwakeMs =
    graceMs === null ? null : showsFirst ? now + graceMs : (up.closeAwakeMs ?? now + graceMs);
  const closes = closeAwakeMs !== null;
  if (!closes) withdrawOrders(turn, session);
  turn.write = true;
  if ((up.by === 'pause') !== (bound.by === 'pause') || closes !== (up.closeAwakeMs !== null))
    tellUp(turn, session, bound, closes ? closedIn(Math.max(0, closeAwakeMs - now)) : 'It is not closed.');
  return { by: bound.by, closeAwakeMs, overLimit: bound.by === 'pause' && up.closeAwakeMs !== null };
}

/**
 * A process started while nothing was left: closed at once, but for a play that goes on (a teleport over the end of a window).
 * It was never told, so its grace time begins, and only once: quitting and coming back again and again meets the same end.
 */
export function refuseStart(turn: Turn, session: OpenSession, bound: Bound, goesOn: boolean): void {
  const now = turn.state.reading.awakeMs;
  const child = childOf(turn, session.child);
  const count = (child.record.relaunches[session.game] ?? 0) + 1;
  child.record.relaunches = { ...child.record.relaunches, [session.game]: count };
  const firstMs = now + (goesOn ? graceOf(turn, session) : 0);
  const isEnd = goesOn && session.up === null;
  session.up ??= { by: bound.by, closeAwakeMs: mustClose(turn, session, bound) ? firstMs : null };
  const { closeAwakeMs } = session.up;
  const again = count > 1 ? ` It was started ${count} times with no time left today.` : '';
  const outcome = closeAwakeMs === null ? 'It is not closed.' : closedIn(Math.max(0, closeAwakeMs - now));
  tellUp(turn, session, bound, outcome + again, !isEnd);
}

const closedIn = (ms: number): string => (ms > 0 ? `It is closed in ${duration(ms)}.` : 'It is closed.');

/** What became of a close that was ordered. */
export function closeReported(turn: Turn, ticket: string, reports: readonly CloseReport[]): void {
  for (const session of turn.state.sessions.values()) {
    if (!session.members.some((m) => m.order?.ticket === ticket)) continue;
    session.members = session.members.map((member) => retryIfFailed(turn, member, ticket, reports));
    const failure = reports.find((r) => r.outcome === 'denied' || r.outcome === 'failed');
    if (failure) tellFailure(turn, session, failure);
  }
}

/** Why a member went, as far as the agent had a hand in it. */
export function causeOf(member: Member): 'limit' | 'pause' | null {
  if (!member.order) return null;
  return member.order.cause === 'pause' ? 'pause' : 'limit';
}

function graceOf(turn: Turn, session: OpenSession): number {
  return (profileIn(turn.state, session.child)?.grace_seconds ?? 0) * 1_000;
}

function mustClose(turn: Turn, session: OpenSession, bound: Bound): boolean {
  return bound.by === 'pause' || (profileIn(turn.state, session.child)?.auto_close ?? false);
}

/** Whatever was up and told is not any more, also when the game was closed since: the next time is told at once. */
function timeIsNotUp(turn: Turn, session: OpenSession): void {
  const { record } = childOf(turn, session.child);
  const ends = LIMITS.map((by) => upKey(session, by));
  const isUp = (subject: string) => ends.some((end) => subject === end || subject === refusalOf(end));
  const told = Object.entries(record.told).filter(([subject]) => !isUp(subject));
  if (!session.up && told.length === Object.keys(record.told).length) return;
  session.up = null;
  withdrawOrders(turn, session);
  record.told = Object.fromEntries(told);
  turn.write = true;
}

/** Nobody is to be forced because of an order that was given before. */
export function withdrawOrders(turn: Turn, session: OpenSession): void {
  for (const { pid, startKey, order } of session.members) if (order) turn.withdrawn.push({ pid, startKey });
  session.members = session.members.map((m) => (m.order ? { ...m, order: null } : m));
}

function closeWhenDue(turn: Turn, session: OpenSession, bound: Bound, closeAwakeMs: number): void {
  const { state } = turn;
  const now = state.reading.awakeMs;
  if (now < closeAwakeMs) {
    wakeAt(turn, closeAwakeMs);
    return;
  }
  const isDue = (m: Member) => !m.order || m.order.retryAwakeMs <= now;
  const due = session.members.filter(isDue);
  if (due.length > 0) {
    const child = childOf(turn, session.child);
    session.orders += 1;
    const ticket = `${session.id}#${session.orders}`;
    const retryAwakeMs = now + state.config.enforcement.close_wait_seconds * 1_000 + UNREPORTED_MS;
    session.members = session.members.map((member) =>
      isDue(member)
        ? {
            ...member,
            order: { ticket, attempts: (member.order?.attempts ?? 0) + 1, retryAwakeMs, cause: bound.by },
          }
        : member,
    );
    const why = reason(state, child, session.game, bound);
    const sentence = `${gameName(state, session.game)} was closed at ${clockTime(state, state.nowMs)}: ${why}.`;
    turn.closes.push({
      ticket,
      child: session.child,
      game: session.game,
      cause: bound.by,
      why: explain(state, bound, sentence),
      targets: due.map(({ pid, startKey }) => ({ pid, startKey })),
    });
    turn.write = true;
  }
  for (const member of session.members) if (member.order) wakeAt(turn, member.order.retryAwakeMs);
}

function retryIfFailed(turn: Turn, member: Member, ticket: string, reports: readonly CloseReport[]): Member {
  if (member.order?.ticket !== ticket) return member;
  const report = reports.find((r) => r.pid === member.pid);
  if (!report) return member;
  // What was closed is gone as soon as the scanner says so, and not before.
  if (report.outcome === 'closed' || report.outcome === 'not_running') return member;
  const backoff = Math.min(FIRST_RETRY_MS * 2 ** (member.order.attempts - 1), LONGEST_RETRY_MS);
  return { ...member, order: { ...member.order, retryAwakeMs: turn.state.reading.awakeMs + backoff } };
}

/** A start that is refused is not told within a minute of the end; the end of another game is, after one. */
function tellUp(turn: Turn, session: OpenSession, bound: Bound, outcome: string, isRefusal = false): void {
  const { state } = turn;
  const child = childOf(turn, session.child);
  const end = upKey(session, bound.by);
  if (isRefusal && wasToldLately(turn, child, end)) return;
  if (!mayTell(turn, child, isRefusal ? refusalOf(end) : end)) return;
  const game = gameName(state, session.game);
  const why = reason(state, child, session.game, bound);
  const sentence = `No time for ${game} at ${clockTime(state, state.nowMs)}: ${why}. ${outcome}`;
  const [type, title] =
    bound.by === 'pause'
      ? (['pause', `${game} is paused`] as const)
      : (['time_limit_exceeded', `Time for ${game} is up`] as const);
  turn.events.push(notification(session, type, title, sentence, explain(state, bound, sentence)));
}

function tellFailure(turn: Turn, session: OpenSession, failure: CloseReport): void {
  const child = childOf(turn, session.child);
  if (!mayTell(turn, child, `close_failed ${session.game}`)) return;
  const game = gameName(turn.state, session.game);
  const because = failure.error ?? (failure.outcome === 'denied' ? 'access was denied' : 'it did not end');
  const message = `${game} (process ${failure.pid}) could not be closed: ${because}. It is tried again.`;
  turn.events.push(notification(session, 'close_failed', `${game} could not be closed`, message));
  turn.write = true;
}

/** A game's own budget is told per game, every other bound once for the child. */
function upKey(session: OpenSession, by: LimitName): string {
  return by === 'game' ? `up game ${session.game}` : `up ${by}`;
}

const refusalOf = (end: string): string => `refused ${end}`;
