/**
 * One step in the making: a copy of the state that the step may write to, and what it wants to be said and done.
 * The files beside this one are the step's parts and work on a turn; behavior.ts puts them in order.
 */
import type { EventBody, SessionData } from '../../protocol/events.ts';
import type { CloseOrder, ProcessIdentity } from '../../protocol/messages.ts';
import type { Problem } from '../../protocol/problems.ts';
import { type ChildState, newChild, type SessionState } from './state.ts';
import { copyState } from './state-copy.ts';

export interface Turn {
  readonly state: SessionState;
  readonly events: EventBody[];
  readonly closes: CloseOrder[];
  /** Processes whose orders to be closed hold no more. */
  readonly withdrawn: ProcessIdentity[];
  /** Processes whose start was taken in. */
  readonly started: ProcessIdentity[];
  readonly stopped: ProcessIdentity[];
  /** Sessions that ended in this step. */
  readonly ended: SessionData[];
  command: { readonly commandId: string; readonly result: unknown } | null;
  refusal: Problem | null;
  /** Trusted time of the step before. */
  readonly beforeMs: number;
  /** When the agent last looked before this step, awake clock: what ran then is proven to then. */
  readonly lookedAwakeMs: number;
  /** The same, if the agent was stopped as a whole since; else now. */
  readonly watchedToAwakeMs: number;
  /** Up to when it is known, once the message is taken in, what runs, awake clock. */
  readonly seenAwakeMs: number;
  /** Something happened that must be written now, not with the next half minute. */
  write: boolean;
}

/** Looks are a second and a half apart at most: when so much passed, ms, the agent was stopped as a whole (SIGSTOP). */
const STOPPED_MS = 3_000;

export const wasStopped = (lookedAwakeMs: number, nowAwakeMs: number): boolean =>
  nowAwakeMs - lookedAwakeMs > STOPPED_MS;

export function beginTurn(
  state: SessionState,
  lookedAwakeMs: number,
  nowAwakeMs: number,
  seenAwakeMs: number = nowAwakeMs,
): Turn {
  return {
    state: copyState(state),
    events: [],
    closes: [],
    withdrawn: [],
    started: [],
    stopped: [],
    ended: [],
    command: null,
    refusal: null,
    beforeMs: state.nowMs,
    lookedAwakeMs,
    watchedToAwakeMs: wasStopped(lookedAwakeMs, nowAwakeMs) ? lookedAwakeMs : nowAwakeMs,
    seenAwakeMs,
    write: false,
  };
}

/** The child's state, made at its first mention. */
export function childOf(turn: Turn, id: string): ChildState {
  const known = turn.state.children.get(id);
  if (known) return known;
  const made = newChild(id);
  turn.state.children.set(id, made);
  return made;
}

/** Asks for the next step at this moment of the awake clock, or at an earlier one. */
export function wakeAt(turn: Turn, awakeMs: number): void {
  const { state } = turn;
  if (awakeMs < state.wakeAwakeMs) state.wakeAwakeMs = awakeMs;
}

/** The same for a moment of the trusted clock. */
export function wakeAtTime(turn: Turn, trustedMs: number): void {
  wakeAt(turn, trustedMs - turn.state.nowMs + turn.state.reading.awakeMs);
}

/** True at most once a minute for the same subject of a child. */
export function mayTell(turn: Turn, child: ChildState, subject: string): boolean {
  if (wasToldLately(turn, child, subject)) return false;
  child.record.told = { ...child.record.told, [subject]: turn.state.reading.awakeMs };
  return true;
}

/** Within the last minute. */
export function wasToldLately(turn: Turn, child: ChildState, subject: string): boolean {
  const last = child.record.told[subject];
  return last !== undefined && turn.state.reading.awakeMs - last < TELL_AGAIN_MS;
}

const TELL_AGAIN_MS = 60_000;
