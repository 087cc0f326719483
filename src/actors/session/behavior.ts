/**
 * The session actor as a pure step: message and reading in, state and effects out. This file puts the parts in
 * order; each part stands in a file of its own subject:
 *
 *   trusted-clock, calendar  what time and day it is     charging, coverage  minutes onto sessions and days
 *   plays                    processes become sessions   budget              what is left, and by what
 *   warnings, enforcement    what follows from it        commands            what a parent changes
 *   ledger, restore, saved   what is kept                events, explain, status  what is said
 */
import type {
  FromSession,
  HeardBySession,
  SessionCommand,
  SessionConfig,
  SessionInit,
} from '../../protocol/messages.ts';
import type { Problem } from '../../protocol/problems.ts';
import { boundsOf } from './budget.ts';
import { chargeRunning, chargeTo, noteGap, restOfWeek, rollDay } from './charging.ts';
import { carryOut } from './commands.ts';
import { closeReported, enforce } from './enforcement.ts';
import { clockChanged } from './events.ts';
import { output, wakeForWrite } from './ledger.ts';
import {
  endOverdue,
  endUnconfigured,
  leaveAtBoot,
  processPlayed,
  processStarted,
  processStopped,
  reconcile,
  sleepGone,
} from './plays.ts';
import type { ProvenMoment } from './proven-file.ts';
import { provenSince, restore } from './restore.ts';
import { biasOf, type Extra, isRunning, markUnwritten, noExtra, type SessionState } from './state.ts';
import { lookAt, opensInMs, type Reading, trustedMs } from './trusted-clock.ts';
import { beginTurn, childOf, type Turn, wakeAt, wakeAtTime, wasStopped } from './turn.ts';
import { rearmAbsent, warn } from './warnings.ts';

export type SessionMessage =
  | HeardBySession
  | { readonly type: 'tick' }
  /** Charges up to now and writes it. */
  | { readonly type: 'settle' }
  | { readonly type: 'configure'; readonly config: SessionConfig }
  | { readonly type: 'command'; readonly command: SessionCommand };

export type SessionEffect = FromSession | { readonly type: 'command.refused'; readonly problem: Problem };

export type Step<S, E> = readonly [state: S, effects: readonly E[]];

/** Elapsed and awake time that differ by more between two readings were a suspend, ms. */
const SUSPEND_MS = 1_000;
/** While nobody looks no session ends, as its game may have come back in time; but not for longer than this, ms. */
const LONGEST_BLIND_MS = 30_000;
/** What a source that sees again has found is told within this, ms. */
const FOUND_WITHIN_MS = 1_000;
/** A deadline nearer than this is put off, ms: timers are no finer, and a loop of steps must get on. */
const SHORTEST_SLEEP_MS = 1;

/**
 * What the ledger knows, and up to the proven moment what it was not told any more. The first step (a tick) brings it
 * up to the reading's moment.
 */
export function initialState(
  init: SessionInit,
  reading: Reading,
  proven: ProvenMoment | null = null,
): SessionState {
  const restored = restore(init, reading);
  const since = provenSince(proven, restored, reading);
  if (!since) return restored;
  const turn = beginTurn(restored, since.awakeMs, since.awakeMs);
  for (const session of turn.state.sessions.values()) {
    if (!isRunning(session) || session.chargedToAwakeMs >= since.awakeMs) continue;
    chargeTo(turn, session, since.awakeMs);
    session.provenMs = since.nowMs;
  }
  return turn.state;
}

/**
 * The moment to be noted, while somebody plays: a process that runs up to here is proven to. `seenAwakeMs`: up to where
 * the reading's look saw.
 */
export function provenAt(
  state: SessionState,
  reading: Reading,
  seenAwakeMs: number = reading.awakeMs,
): ProvenMoment | null {
  if (state.awaitingSnapshot || ![...state.sessions.values()].some(isRunning)) return null;
  const { bootId, awakeMs } = reading;
  return { bootId, awakeMs: seenAwakeMs, nowMs: trustedMs(state.clock, reading) - (awakeMs - seenAwakeMs) };
}

/**
 * Up to when what runs is known to run once this message is taken in, awake clock. One about a process may have waited (the
 * actor hung, the agent was stopped), and others of the same time wait behind it: it tells of no more than its own moment. A
 * tick comes when nothing waits.
 */
export function seenTo(message: SessionMessage, lookedAwakeMs: number, nowAwakeMs: number): number {
  return Math.min(nowAwakeMs, momentOf(message, lookedAwakeMs, nowAwakeMs) ?? lookedAwakeMs);
}

/** When the agent has looked last, once this message is taken in: one that waited for its stop to be over is no look. */
export function lookedTo(message: SessionMessage, lookedAwakeMs: number, nowAwakeMs: number): number {
  if (message.type !== 'tick' && wasStopped(lookedAwakeMs, nowAwakeMs)) return lookedAwakeMs;
  return Math.max(lookedAwakeMs, seenTo(message, lookedAwakeMs, nowAwakeMs));
}

/** null: nobody saw it. */
function momentOf(message: SessionMessage, lookedAwakeMs: number, nowAwakeMs: number): number | null {
  switch (message.type) {
    case 'process.started':
      return Math.max(lookedAwakeMs, message.process.startedAwakeMs);
    case 'process.stopped':
    case 'process.played':
      return message.endedAwakeMs;
    case 'tick':
      return nowAwakeMs;
    case 'scan.unknown':
    case 'scan.known':
    case 'close.report':
      return null;
    default: {
      // After a stop it may have overtaken what waited at the door.
      if (wasStopped(lookedAwakeMs, nowAwakeMs)) return null;
      const { atAwakeMs = nowAwakeMs } = message.type === 'processes.snapshot' ? message : {};
      return Math.max(lookedAwakeMs, atAwakeMs);
    }
  }
}

/**
 * One step. At most one `session.output` comes out of it, to be committed as one. `state.wakeAwakeMs` then says
 * when the next tick is due at the latest (awake clock). The state that came in is not changed.
 *
 * `lookedAwakeMs`: when the agent last looked before. What nobody saw end is charged up to there, and an agent that was
 * stopped as a whole (SIGSTOP, a debugger) shows by it.
 */
export function step(
  state: SessionState,
  message: SessionMessage,
  reading: Reading,
  lookedAwakeMs: number = reading.awakeMs,
): Step<SessionState, SessionEffect> {
  const seenAwakeMs = seenTo(message, lookedAwakeMs, reading.awakeMs);
  const turn = beginTurn(state, lookedAwakeMs, reading.awakeMs, seenAwakeMs);
  // What a snapshot does not hold any more ran up to the look before it.
  const isLook = message.type === 'processes.snapshot';
  advance(turn, reading, isLook ? Math.min(lookedAwakeMs, reading.awakeMs) : seenAwakeMs);
  if (!isLook) chargeAll(turn);
  receive(turn, message);
  conclude(turn, message.type === 'tick' || isLook);
  const effects: SessionEffect[] = [];
  const said = output(turn, message.type === 'settle');
  if (said) effects.push(said);
  if (turn.refusal) effects.push({ type: 'command.refused', problem: turn.refusal });
  wakeForWrite(turn);
  // What is left was counted at the moment seen.
  turn.state.wakeAwakeMs -= reading.awakeMs - seenAwakeMs;
  turn.state.wakeAwakeMs = Math.max(turn.state.wakeAwakeMs, reading.awakeMs + SHORTEST_SLEEP_MS);
  return [turn.state, effects];
}

/**
 * Brings the clocks up to a reading: boots, suspends, clock steps, day starts, pauses that are over. What was played up
 * to a day start is charged before it, as far as it may be charged.
 */
function advance(turn: Turn, reading: Reading, chargeableToAwakeMs: number): void {
  const { state } = turn;
  const before = state.reading;
  const sameBoot = before.bootId === reading.bootId && reading.awakeMs >= before.awakeMs;
  if (!sameBoot) forgetBoot(turn);
  const look = lookAt(state.clock, state.nowMs, reading, state.config.day);
  const day = state.clock.day;
  if (look.opened && sameBoot && !state.awaitingSnapshot) {
    const opening = day.endMs - biasOf(state);
    chargeRunning(turn, Math.min(chargeableToAwakeMs, Math.max(before.awakeMs, opening)));
  }
  if (look.steppedMs !== 0) keepLengths(turn, look.steppedMs);
  state.clock = look.clock;
  state.reading = reading;
  state.nowMs = trustedMs(look.clock, reading);
  state.wakeAwakeMs = Number.POSITIVE_INFINITY;
  if (sameBoot) noteSuspend(turn, before);
  if (look.opened) openDay(turn, day.day);
  const adoptsMs = state.nowMs + opensInMs(state.clock, reading);
  for (const change of look.changes) turn.events.push(clockChanged(state, change, adoptsMs));
  endPauses(turn);
}

/** Nothing of the awake clock of another boot means anything any more. */
function forgetBoot(turn: Turn): void {
  leaveAtBoot(turn);
  for (const { record } of turn.state.children.values()) {
    record.covered = {};
    record.told = {};
  }
  turn.state.writtenAwakeMs = Number.NEGATIVE_INFINITY;
  // With the clock of this boot what was kept of the other one must go from the ledger too.
  turn.write = true;
}

/**
 * A day start takes the wall clock over, whatever somebody set it to. What a parent took or gave for so many minutes
 * lasts as many: its end moves with the clock. (What is for a day ends with the day, and moments that are past stay.)
 */
function keepLengths(turn: Turn, stepMs: number): void {
  for (const { record } of turn.state.children.values()) {
    const { pause, extra } = record;
    if (pause && pause.untilMs !== null) record.pause = { untilMs: pause.untilMs + stepMs };
    if (extra && extra.windowUntilMs !== null)
      record.extra = { ...extra, windowUntilMs: extra.windowUntilMs + stepMs };
  }
}

function noteSuspend(turn: Turn, before: Reading): void {
  const { state } = turn;
  const { reading } = state;
  const suspendedMs = reading.elapsedMs - before.elapsedMs - (reading.awakeMs - before.awakeMs);
  if (suspendedMs < SUSPEND_MS) return;
  // A fresh actor looks from its own start on, and would not see it any more; the scanner goes by what was slept.
  turn.write = true;
  // A look in between would have shown it.
  sleepGone(turn, suspendedMs, Math.max(before.awakeMs, turn.lookedAwakeMs));
  if (state.awaitingSnapshot) return;
  for (const session of state.sessions.values()) {
    if (!isRunning(session)) continue;
    noteGap(session, state.nowMs - suspendedMs, state.nowMs, 0, 'suspend');
  }
}

function openDay(turn: Turn, before: string): void {
  const { state } = turn;
  const today = state.clock.day.day;
  turn.write = true;
  for (const child of state.children.values()) {
    rollDay(state, child, before);
    if (today === before) continue;
    child.record.relaunches = {};
    child.record.extra = extraOn(child.record.extra, today, state.nowMs);
    // A warning of yesterday is none of today; who plays on keeps those of a bound that did not change.
    const playing = [...state.sessions.values()].some((s) => s.child === child.id && isRunning(s));
    if (!playing) child.record.given = {};
  }
}

/**
 * Extra minutes are for their day only. A window's end that they lifted over the day start stays: it is a moment, it
 * was told as what remains, and nothing would have warned of an earlier one.
 */
function extraOn(extra: Extra | null, today: string, nowMs: number): Extra | null {
  if (!extra || extra.day === today) return extra;
  const { windowUntilMs } = extra;
  return windowUntilMs === null || windowUntilMs <= nowMs ? null : { ...noExtra(today), windowUntilMs };
}

function endPauses(turn: Turn): void {
  for (const { record } of turn.state.children.values()) {
    const untilMs = record.pause?.untilMs ?? null;
    if (untilMs === null || untilMs > turn.state.nowMs) continue;
    record.pause = null;
    turn.write = true;
  }
}

/** Once the message is taken in: it may be what pauses. A pause that ends unseen would be one with the next. */
function wakeForPauses(turn: Turn): void {
  for (const { record } of turn.state.children.values()) {
    const untilMs = record.pause?.untilMs ?? null;
    if (untilMs !== null) wakeAtTime(turn, untilMs);
  }
}

function receive(turn: Turn, message: SessionMessage): void {
  switch (message.type) {
    case 'tick':
    case 'settle':
      break;
    case 'processes.snapshot':
      reconcile(turn, message);
      turn.state.blindUntilAwakeMs = message.blind ? turn.state.reading.awakeMs + LONGEST_BLIND_MS : 0;
      break;
    case 'process.started':
      processStarted(turn, message.process, message.child, turn.seenAwakeMs);
      break;
    case 'process.played':
      processPlayed(turn, message);
      break;
    case 'process.stopped':
      processStopped(turn, message.identity, message.endedAwakeMs, message.by);
      break;
    case 'close.report':
      closeReported(turn, message.ticket, message.reports);
      break;
    case 'configure':
      configure(turn, message.config);
      break;
    case 'command':
      carryOut(turn, message.command);
      break;
    // A process that could not be read is never a stop (contract E3): what runs goes on being charged.
    case 'scan.unknown':
      turn.state.blindUntilAwakeMs = turn.state.reading.awakeMs + LONGEST_BLIND_MS;
      break;
    case 'scan.known':
      turn.state.blindUntilAwakeMs = turn.state.reading.awakeMs + FOUND_WITHIN_MS;
      break;
    default:
      message satisfies never;
  }
}

function chargeAll(turn: Turn): void {
  if (!turn.state.awaitingSnapshot) chargeRunning(turn, turn.seenAwakeMs);
}

function configure(turn: Turn, config: SessionConfig): void {
  const { state } = turn;
  state.config = config;
  for (const id of Object.keys(config.profiles)) childOf(turn, id);
  const before = state.clock.day.day;
  const look = lookAt(state.clock, state.nowMs, state.reading, config.day);
  state.clock = look.clock;
  if (look.opened) {
    renameExtras(state, before);
    openDay(turn, before);
  }
  for (const child of state.children.values()) {
    child.restOfWeekMs = restOfWeek(state, child);
    // The day's row carries its limit, which may be another now.
    markUnwritten(child, state.clock.day.day);
  }
  endUnconfigured(turn);
  turn.write = true;
}

/** A day start that a reload moves may give today another name: what was given for today stays given. */
function renameExtras(state: SessionState, before: string): void {
  for (const { record } of state.children.values()) {
    if (record.extra?.day === before) record.extra = { ...record.extra, day: state.clock.day.day };
  }
}

/** After whatever happened: charges, ends, warns, closes, and finds the next deadline. */
function conclude(turn: Turn, nothingWaits: boolean): void {
  const { state } = turn;
  const now = state.reading.awakeMs;
  wakeAt(turn, now + opensInMs(state.clock, state.reading));
  wakeForPauses(turn);
  rearmAbsent(turn);
  if (state.awaitingSnapshot) return;
  chargeAll(turn);
  endOverdue(turn, nothingWaits);
  for (const session of state.sessions.values()) {
    if (!isRunning(session)) continue;
    const bounds = boundsOf(state, childOf(turn, session.child), session.game);
    warn(turn, session, bounds);
    enforce(turn, session, bounds);
  }
}
