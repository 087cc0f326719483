/**
 * What a record of the ledger must look like to be believed: predicates, put together to the shapes of the records.
 * Only restore.ts asks. No zod: this thread loads no schema library. A record that came whole from ledger.ts holds
 * always; what does not is damaged or somebody else's, and nothing of it may throw later or keep play from being limited.
 */
import type { LimitName, SessionData } from '../../protocol/events.ts';
import type { UsageRow } from '../../protocol/messages.ts';
import { calendarOf, type DaySpan } from './calendar.ts';
import type { Span } from './coverage.ts';
import type { SavedClock, SavedMember, SavedSession } from './ledger.ts';
import {
  type ChildRecord,
  type CloseAttempt,
  type DoneCommand,
  type Extra,
  type Gone,
  type Member,
  newChild,
  type OpenSession,
  type TimeUp,
} from './state.ts';
import { type ClockRules, type Reading, type TrustedClock, trustedMs } from './trusted-clock.ts';

type Check<T> = (value: unknown) => value is T;
/** One check for each field, so that the compiler keeps the list complete. */
type Fields<T> = { readonly [K in keyof Required<T>]: Check<T[K]> };

/** The years 1 to 9999, epoch ms: what lies beyond them has no date of four digits. */
const EARLIEST_MS = -62_135_596_800_000;
const LATEST_MS = 253_402_300_799_999;
/** A day of a calendar is at most so long, ms: a change of zone may be in it. */
const LONGEST_DAY_MS = 48 * 3_600_000;
/** Two figures of one moment may differ by this, ms. */
const ABOUT_MS = 5 * 60_000;

const num: Check<number> = (v): v is number => Number.isFinite(v);
/** A length or a count. */
const amount: Check<number> = (v): v is number => num(v) && v >= 0;
/** A moment, epoch ms. */
const moment: Check<number> = (v): v is number => num(v) && v >= EARLIEST_MS && v <= LATEST_MS;
const str: Check<string> = (v): v is string => typeof v === 'string';
const bool: Check<boolean> = (v): v is boolean => typeof v === 'boolean';
const isoTime: Check<string> = (v): v is string => str(v) && moment(Date.parse(v));

const absent: Check<undefined> = (v): v is undefined => v === undefined;

const orNull =
  <T>(check: Check<T>): Check<T | null> =>
  (v): v is T | null =>
    v === null || check(v);

const orAbsent =
  <T>(check: Check<T>): Check<T | undefined> =>
  (v): v is T | undefined =>
    v === undefined || check(v);

const listOf =
  <T>(check: Check<T>): Check<T[]> =>
  (v): v is T[] =>
    Array.isArray(v) && v.every(check);

const mapOf =
  <T>(check: Check<T>): Check<Record<string, T>> =>
  (v): v is Record<string, T> =>
    isObject(v) && Object.values(v).every(check);

/** An object with these fields; what it has beside them is nobody's harm. */
const shape =
  <T>(fields: Fields<T>): Check<T> =>
  (v): v is T =>
    isObject(v) && Object.entries<Check<unknown>>(fields).every(([key, check]) => check(v[key]));

const span: Check<Span> = (v): v is Span => listOf(num)(v) && v.length === 2;

const LIMIT_NAMES: Readonly<Record<LimitName, true>> = {
  day: true,
  week: true,
  game: true,
  window: true,
  pause: true,
};
const limitName: Check<LimitName> = (v): v is LimitName => str(v) && Object.hasOwn(LIMIT_NAMES, v);

const zone: Check<string> = (v): v is string => str(v) && works(() => calendarOf(v, '00:00').dayAt(0));
const dayName: Check<string> = (v): v is string =>
  str(v) && works(() => calendarOf('UTC', '00:00').weekOf(v).includes(v));

const gaps = listOf(
  shape<SessionData['gaps'][number]>({ from: isoTime, to: isoTime, charged_minutes: num, reason: str }),
);

const sessionData = shape<SessionData>({
  session_id: str,
  child_profile: str,
  game: str,
  time_start: isoTime,
  time_end: orNull(isoTime),
  duration_seconds: num,
  duration_minutes: num,
  is_active: bool,
  used_minutes_today: num,
  remaining_minutes: orNull(num),
  limited_by: orNull(limitName),
  gaps,
  by_day: orAbsent(mapOf(num)),
  end_reason: orAbsent(str),
  warning_minutes: orAbsent(num),
  // Of warnings alone.
  why: absent,
});

const closeAttempt = shape<CloseAttempt>({
  ticket: str,
  attempts: amount,
  retryAwakeMs: num,
  cause: limitName,
});

const memberRecord = shape<SavedMember>({
  session: str,
  pid: num,
  startKey: str,
  name: str,
  order: orNull(closeAttempt),
  ranToAwakeMs: orAbsent(amount),
});

const sessionRecord = shape<SavedSession>({
  id: str,
  child: str,
  game: str,
  startMs: moment,
  chargedToAwakeMs: amount,
  provenMs: moment,
  chargedMs: amount,
  byDay: mapOf(amount),
  gaps,
  up: orNull(shape<TimeUp>({ by: limitName, closeAwakeMs: orNull(num), overLimit: orAbsent(bool) })),
  gone: orNull(
    shape<Gone>({ awakeMs: orNull(amount), sleptMs: orAbsent(amount), reason: str, data: sessionData }),
  ),
  orders: amount,
});

const childFields: Fields<ChildRecord> = {
  limits: mapOf(orNull(amount)),
  extra: orNull(
    shape<Extra>({
      day: str,
      dayMs: amount,
      weekMs: amount,
      gamesMs: mapOf(amount),
      windowUntilMs: orNull(moment),
    }),
  ),
  pause: orNull(shape<NonNullable<ChildRecord['pause']>>({ untilMs: orNull(moment) })),
  given: mapOf(listOf(num)),
  covered: mapOf(listOf(span)),
  told: mapOf(num),
  relaunches: mapOf(amount),
  starts: listOf(moment),
};

const clockRecord = shape<SavedClock>({
  clock: shape<TrustedClock>({
    bootId: str,
    elapsedMs: num,
    baseMs: num,
    adoptedMs: num,
    seenMs: num,
    toldMs: num,
    zone,
    seenZone: zone,
    rules: shape<ClockRules>({ starts_at: str, time_zone: str }),
    day: shape<DaySpan>({ day: dayName, startMs: moment, endMs: moment }),
    openedElapsedMs: orNull(num),
    floorMs: moment,
  }),
  reading: shape<Reading>({ awakeMs: num, elapsedMs: num, wallMs: num, bootId: str, zone: str }),
  nowMs: moment,
});

export const isMoment = moment;
export const isDoneCommand = shape<DoneCommand>({ id: str, atMs: num });
export const isUsageRow = shape<UsageRow>({
  child: str,
  day: str,
  game: str,
  usedMs: amount,
  limitMinutes: orNull(num),
});

/** A session that, with these processes, either runs or waits for its rejoin; null: it is not whole. */
export function savedSession(value: unknown, members: readonly Member[]): OpenSession | null {
  if (!sessionRecord(value)) return null;
  const { id, gone } = value;
  const holds = gone ? members.length === 0 && gone.data.session_id === id : members.length > 0;
  return holds ? { ...value, members, kept: members } : null;
}

/** One of the processes of a session, and of which; null: it is not whole. */
export function savedMember(value: unknown): { readonly session: string; readonly member: Member } | null {
  if (!memberRecord(value)) return null;
  const { session, ...member } = value;
  return { session, member };
}

/** Each field that holds, else as a new child has it: one that does not must not take a parent's limits with it. */
export function savedChild(value: unknown): ChildRecord {
  const { record } = newChild('');
  if (!isObject(value)) return record;
  const take = <K extends keyof ChildRecord>(key: K): void => {
    const [field, check]: [unknown, Check<ChildRecord[K]>] = [value[key], childFields[key]];
    if (check(field)) record[key] = field;
  };
  for (const key of Object.keys(childFields)) take(key as keyof ChildRecord);
  return record;
}

/** The clock as it stood; null: not whole, or its figures contradict one another. */
export function savedClock(value: unknown): SavedClock | null {
  if (!clockRecord(value)) return null;
  const { clock, reading, nowMs } = value;
  const dayMs = clock.day.endMs - clock.day.startMs;
  const agrees =
    dayMs > 0 &&
    dayMs <= LONGEST_DAY_MS &&
    clock.bootId === reading.bootId &&
    Math.abs(trustedMs(clock, reading) - nowMs) < ABOUT_MS &&
    clock.floorMs < nowMs + ABOUT_MS &&
    (clock.openedElapsedMs ?? 0) <= Math.max(0, reading.elapsedMs);
  return agrees ? value : null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function works(fn: () => unknown): boolean {
  try {
    return fn() !== false;
  } catch {
    return false;
  }
}
