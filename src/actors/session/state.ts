/**
 * What the session actor holds between two messages: types, and the few ways to look something up in them.
 * `…AwakeMs` is on the awake clock of this boot, `…Ms` alone on the trusted clock (epoch ms) or a length.
 *
 * The top level of these records is a step's own copy and is written to; nested values are only ever replaced.
 */
import type { ProfileConfig } from '../../protocol/config.ts';
import type { LimitName, SessionData } from '../../protocol/events.ts';
import type { ProcessIdentity, SessionConfig } from '../../protocol/messages.ts';
import { type Calendar, calendarOf } from './calendar.ts';
import type { Span } from './coverage.ts';
import { type Reading, type TrustedClock, zoneInForce } from './trusted-clock.ts';

/** Key of the child's union over all games in everything that is kept per game. */
export const ALL_GAMES = '';

/** What was charged on one day, per game and in all, and the limits in force then. */
export interface DayUsage {
  readonly usedMs: Readonly<Record<string, number>>;
  readonly limitMinutes: Readonly<Record<string, number | null>>;
}

/** Time added by commands, for one day; a window's end that was lifted over the day start goes on into the next. */
export interface Extra {
  readonly day: string;
  readonly dayMs: number;
  readonly weekMs: number;
  readonly gamesMs: Readonly<Record<string, number>>;
  /** Play is allowed up to here whatever the windows say; null: the windows were not lifted. */
  readonly windowUntilMs: number | null;
}

/** What the ledger keeps of a child beside its usage. */
export interface ChildRecord {
  /** Limits set by command, minutes: null none, absent as configured. Key ALL_GAMES: the day's. */
  limits: Readonly<Record<string, number | null>>;
  extra: Extra | null;
  /** `untilMs` null: until resumed. */
  pause: { readonly untilMs: number | null } | null;
  /** Warnings given and not re-armed, minutes: of the child's own bounds under ALL_GAMES, of a game's budget under its id. */
  given: Readonly<Record<string, readonly number[]>>;
  /** What was charged in this boot, by game and (ALL_GAMES) in all. */
  covered: Readonly<Record<string, readonly Span[]>>;
  /** When something was last told, awake clock, so that it is not told again within a minute. */
  told: Readonly<Record<string, number>>;
  /** Starts of a game while its time was up, today. */
  relaunches: Readonly<Record<string, number>>;
  /** When the last sessions started, so that ids stay unique. */
  starts: readonly number[];
}

export interface ChildState {
  readonly id: string;
  record: ChildRecord;
  today: DayUsage;
  past: ReadonlyMap<string, DayUsage>;
  /** Charged on the other days of this week. */
  restOfWeekMs: number;
  /** Days whose usage changed since it was last written. */
  unwritten: readonly string[];
}

/** A close that was ordered for a process. */
export interface CloseAttempt {
  readonly ticket: string;
  readonly attempts: number;
  /** When it is ordered again if the process is still there, awake clock. */
  readonly retryAwakeMs: number;
  readonly cause: LimitName;
}

export interface Member extends ProcessIdentity {
  readonly name: string;
  readonly order: CloseAttempt | null;
  /** It is known to have run to here only, awake clock, though its session is charged further; absent: as far as its session. */
  readonly ranToAwakeMs?: number | undefined;
}

/** The time of a running session is up. */
export interface TimeUp {
  readonly by: LimitName;
  /** When the game is closed, awake clock; null: it is only told (`auto_close: false`). */
  readonly closeAwakeMs: number | null;
  /** A pause stands before a limit that was up when it began and is still, to be closed at that moment. */
  readonly overLimit?: boolean | undefined;
}

/** The last process of a session went; the session ends unless one comes back in time. */
export interface Gone {
  /** Awake clock; null: in another boot, so that nothing comes back in time. */
  readonly awakeMs: number | null;
  /** So much of the rejoin time went by in sleep, ms; absent: nothing of it. */
  readonly sleptMs?: number | undefined;
  readonly reason: string;
  /** The session as it stood at that moment. */
  readonly data: SessionData;
}

export interface OpenSession {
  readonly id: string;
  readonly child: string;
  readonly game: string;
  readonly startMs: number;
  members: readonly Member[];
  /** The members as the ledger has them, each in a record of its own: a start in a crowd writes one, not all. */
  kept: readonly Member[];
  /** Charged up to here, awake clock. */
  chargedToAwakeMs: number;
  /** The same moment on the trusted clock: the last that is proven. */
  provenMs: number;
  chargedMs: number;
  byDay: Readonly<Record<string, number>>;
  gaps: SessionData['gaps'];
  up: TimeUp | null;
  gone: Gone | null;
  /** Close orders so far: tickets count them. */
  orders: number;
}

export interface DoneCommand {
  readonly id: string;
  /** On the trusted clock. */
  readonly atMs: number;
}

export interface SessionState {
  config: SessionConfig;
  clock: TrustedClock;
  reading: Reading;
  /** Trusted time of the reading. */
  nowMs: number;
  children: Map<string, ChildState>;
  /** By `sessionKey`. */
  sessions: Map<string, OpenSession>;
  /** A fresh actor ends no session before the first snapshot: until then nobody knows what still runs, or came back in time. */
  awaitingSnapshot: boolean;
  /** Until then nobody may look what runs, awake clock. */
  blindUntilAwakeMs: number;
  writtenAwakeMs: number;
  /** The bias of the last output, ms. */
  postedBiasMs: number;
  /** The commands carried out last, oldest first: one that comes again has its effect already. */
  commands: readonly DoneCommand[];
  /** Keys of records in the ledger that were no use: they go with the next writing. */
  useless: readonly string[];
  /** When the next step is due at the latest, awake clock. */
  wakeAwakeMs: number;
}

export const sessionKey = (child: string, game: string): string => `${child} ${game}`;

/** Where the ledger keeps a process of a session. */
export const memberKey = (sessionId: string, { pid, startKey }: ProcessIdentity): string =>
  `member ${sessionId} ${pid} ${startKey}`;

/** Trusted minus awake clock, ms. */
export const biasOf = (state: SessionState): number => state.nowMs - state.reading.awakeMs;

export function calendarIn(state: SessionState): Calendar {
  return calendarOf(zoneInForce(state.config.day, state.clock.zone), state.config.day.starts_at);
}

/** Known while the child is configured; a session of a child that is not any more ends in the same step. */
export function profileIn(state: SessionState, child: string): ProfileConfig | null {
  return state.config.profiles[child] ?? null;
}

/** The game as a parent reads it. */
export function gameName(state: SessionState, game: string): string {
  return state.config.games.find((g) => g.id === game)?.name ?? game;
}

export const isRunning = (session: OpenSession): boolean => session.members.length > 0;

export const EMPTY_DAY: DayUsage = { usedMs: {}, limitMinutes: {} };

export function newChild(id: string): ChildState {
  const record: ChildRecord = {
    limits: {},
    extra: null,
    pause: null,
    given: {},
    covered: {},
    told: {},
    relaunches: {},
    starts: [],
  };
  return { id, record, today: EMPTY_DAY, past: new Map(), restOfWeekMs: 0, unwritten: [] };
}

/** The day's usage goes out with the next writing. */
export function markUnwritten(child: ChildState, day: string): void {
  if (!child.unwritten.includes(day)) child.unwritten = [...child.unwritten, day];
}

export function noExtra(day: string): Extra {
  return { day, dayMs: 0, weekMs: 0, gamesMs: {}, windowUntilMs: null };
}

export function usageOn(child: ChildState, today: string, day: string): DayUsage {
  return day === today ? child.today : (child.past.get(day) ?? EMPTY_DAY);
}

export function usedToday(child: ChildState, game: string = ALL_GAMES): number {
  return child.today.usedMs[game] ?? 0;
}
