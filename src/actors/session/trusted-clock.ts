/**
 * The clock that days and windows follow (contract T1): pure arithmetic over readings, no clock is read here.
 *
 * While the machine stays booted, trusted time is the day's base plus what has elapsed, sleep included. The wall
 * clock is followed as long as it stays within five minutes of that base (summed over the day, with sign: NTP's
 * corrections pass, and a step out and back is no step). Beyond that it is told, and taken only when the trusted
 * clock itself reaches the next day start. Two guards beside: trusted time never goes back over the start of the
 * open day or the last boot, and a day opens 20 hours of elapsed time after the one before at the earliest, so that
 * no series of steps or zones opens budgets faster than days pass.
 */
import { calendarOf, type DaySpan } from './calendar.ts';

/** All clocks of one moment. The zone is the system's, an IANA name. */
export interface Reading {
  /** Runs while the machine is awake, ms since some start of this boot. */
  readonly awakeMs: number;
  /** The same, sleep included. */
  readonly elapsedMs: number;
  /** The system's wall clock, epoch ms. Anyone with the right may set it. */
  readonly wallMs: number;
  readonly bootId: string;
  readonly zone: string;
}

/** `day` of the configuration. */
export interface ClockRules {
  readonly starts_at: string;
  /** An IANA name or `system`. */
  readonly time_zone: string;
}

/** Plain JSON: the ledger keeps it. */
export interface TrustedClock {
  readonly bootId: string;
  /** The base: at `elapsedMs` of this boot it was `baseMs`, epoch ms. It is not stepped during a day. */
  readonly elapsedMs: number;
  readonly baseMs: number;
  /** Small steps of the wall clock taken over today, ms: trusted = base + elapsed + adopted. */
  readonly adoptedMs: number;
  /** How far the wall clock stood from the base when last looked at, and when last told, ms. */
  readonly seenMs: number;
  readonly toldMs: number;
  /** The system's zone in force, and the one last seen. */
  readonly zone: string;
  readonly seenZone: string;
  readonly rules: ClockRules;
  readonly day: DaySpan;
  /** When the day opened or should have, on this boot's elapsed clock; null: before this boot. */
  readonly openedElapsedMs: number | null;
  /** Trusted time is never put before this. */
  readonly floorMs: number;
}

export type ClockChange =
  | { readonly kind: 'step'; readonly stepMs: number; readonly offMs: number }
  | { readonly kind: 'zone'; readonly from: string; readonly to: string };

export interface Look {
  readonly clock: TrustedClock;
  readonly changes: readonly ClockChange[];
  /** A day start was reached or moved: the day is another one now, or the same once more after the clock was put back. */
  readonly opened: boolean;
  /** By how much trusted time was set to the wall clock at that day start, ms. */
  readonly steppedMs: number;
}

/** Wall and trusted clock may differ by this much before it counts as a step, ms: reading two clocks is not atomic. */
const NOISE_MS = 1_000;
/** What the wall clock may be stepped in a day, ms (contract T1). */
const TOLERANCE_MS = 5 * 60_000;
/** The least elapsed time between the openings of two days, ms: a DST day has 23 hours. */
const SHORTEST_DAY_MS = 20 * 3_600_000;

/** The clock of an agent that never ran before: the wall clock is all there is. */
export function firstClock(reading: Reading, rules: ClockRules): TrustedClock {
  const zone = zoneInForce(rules, reading.zone);
  const day = calendarOf(zone, rules.starts_at).dayAt(reading.wallMs);
  return {
    bootId: reading.bootId,
    elapsedMs: reading.elapsedMs,
    baseMs: reading.wallMs,
    adoptedMs: 0,
    seenMs: 0,
    toldMs: 0,
    zone: reading.zone,
    seenZone: reading.zone,
    rules,
    day,
    openedElapsedMs: null,
    floorMs: day.startMs,
  };
}

/** The zone that days follow. */
export function zoneInForce(rules: ClockRules, systemZone: string): string {
  return rules.time_zone === 'system' ? systemZone : rules.time_zone;
}

/** Trusted time at a reading of the same boot, epoch ms. */
export function trustedMs(clock: TrustedClock, reading: Reading): number {
  return clock.baseMs + (reading.elapsedMs - clock.elapsedMs) + clock.adoptedMs;
}

/**
 * Compares all clocks of a moment with what is known, and says what has changed. `lastMs`: trusted time when last
 * looked, which a boot must not fall behind.
 */
export function lookAt(known: TrustedClock, lastMs: number, reading: Reading, rules: ClockRules): Look {
  const sameBoot = known.bootId === reading.bootId && reading.elapsedMs >= known.elapsedMs;
  const changes: ClockChange[] = [];
  let clock = sameBoot ? known : afterBoot(known, lastMs, reading);
  clock = underRules(clock, reading, rules);
  clock = followWall(clock, reading, changes);
  clock = noticeZone(clock, reading, changes);
  const before = clock;
  clock = openDay(clock, reading);
  return {
    clock,
    changes,
    opened: clock !== before || clock.day !== known.day,
    steppedMs: trustedMs(clock, reading) - trustedMs(before, reading),
  };
}

/** How long until the next day opens, ms of elapsed time; negative: so long ago it should have. */
export function opensInMs(clock: TrustedClock, reading: Reading): number {
  const byCalendar = clock.day.endMs - trustedMs(clock, reading);
  const { openedElapsedMs } = clock;
  return openedElapsedMs === null
    ? byCalendar
    : Math.max(byCalendar, openedElapsedMs + SHORTEST_DAY_MS - reading.elapsedMs);
}

/** Nothing is known of the time while the machine was off but that it did not run backwards. */
function afterBoot(clock: TrustedClock, lastMs: number, reading: Reading): TrustedClock {
  const baseMs = Math.max(reading.wallMs, lastMs);
  const behindMs = reading.wallMs - baseMs;
  return {
    ...clock,
    bootId: reading.bootId,
    elapsedMs: reading.elapsedMs,
    baseMs,
    adoptedMs: 0,
    // A wall clock a little behind is neither taken nor told; far behind it is a step like any other.
    seenMs: Math.abs(behindMs) > TOLERANCE_MS ? 0 : behindMs,
    toldMs: 0,
    openedElapsedMs: null,
    floorMs: baseMs,
  };
}

/** A parent's change of the day start or zone holds at once. */
function underRules(clock: TrustedClock, reading: Reading, rules: ClockRules): TrustedClock {
  const old = clock.rules;
  if (old.starts_at === rules.starts_at && old.time_zone === rules.time_zone) return clock;
  const at = trustedMs(clock, reading);
  const day = calendarOf(zoneInForce(rules, clock.zone), rules.starts_at).dayAt(at);
  return { ...clock, rules, day, openedElapsedMs: null, floorMs: Math.max(day.startMs, clock.floorMs) };
}

function followWall(clock: TrustedClock, reading: Reading, changes: ClockChange[]): TrustedClock {
  const baseMs = clock.baseMs + (reading.elapsedMs - clock.elapsedMs);
  const offMs = reading.wallMs - baseMs;
  if (Math.abs(offMs - clock.seenMs) < NOISE_MS) return clock;
  let { toldMs, adoptedMs } = clock;
  if (Math.abs(offMs - toldMs) > TOLERANCE_MS) {
    changes.push({ kind: 'step', stepMs: offMs - clock.seenMs, offMs });
    toldMs = offMs;
  }
  if (Math.abs(offMs) <= TOLERANCE_MS) adoptedMs = Math.max(offMs, clock.floorMs - baseMs);
  return { ...clock, seenMs: offMs, toldMs, adoptedMs };
}

function noticeZone(clock: TrustedClock, reading: Reading, changes: ClockChange[]): TrustedClock {
  if (reading.zone === clock.seenZone) return clock;
  if (clock.rules.time_zone === 'system') {
    changes.push({ kind: 'zone', from: clock.seenZone, to: reading.zone });
  }
  return { ...clock, seenZone: reading.zone };
}

/** At the day start whatever the wall and the zone say by then is taken over. */
function openDay(clock: TrustedClock, reading: Reading): TrustedClock {
  if (opensInMs(clock, reading) > 0) return clock;
  const stepMs = reading.wallMs - trustedMs(clock, reading);
  // Noise and small steps must not open the old day once more for a moment.
  const floorMs = Math.abs(stepMs) <= TOLERANCE_MS ? clock.day.endMs : reading.wallMs;
  const adoptedMs = Math.max(0, floorMs - reading.wallMs);
  const zone = zoneInForce(clock.rules, clock.seenZone);
  const day = calendarOf(zone, clock.rules.starts_at).dayAt(reading.wallMs + adoptedMs);
  return {
    ...clock,
    elapsedMs: reading.elapsedMs,
    baseMs: reading.wallMs,
    adoptedMs,
    seenMs: 0,
    toldMs: 0,
    zone: clock.seenZone,
    day,
    openedElapsedMs: day.day === clock.day.day ? clock.openedElapsedMs : dueElapsedMs(clock, reading),
    floorMs,
  };
}

/**
 * When the day that opens now was due, on the elapsed clock: the machine may have slept over its start, or been off. From
 * the moment somebody looked the next day would open late.
 */
function dueElapsedMs(clock: TrustedClock, reading: Reading): number {
  const nowMs = trustedMs(clock, reading);
  const zone = zoneInForce(clock.rules, clock.zone);
  const { startMs } = calendarOf(zone, clock.rules.starts_at).dayAt(nowMs);
  return reading.elapsedMs + Math.max(opensInMs(clock, reading), startMs - nowMs);
}
