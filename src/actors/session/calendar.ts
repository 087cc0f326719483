/**
 * Days, weeks and windows of one time zone and day start (contract T2): all that depends on a calendar. Pure, with
 * small memos, since a tick asks every second what changes once a day.
 *
 * Built on temporal-polyfill: Temporal is the language's own arithmetic for zones and the two DST nights, so the
 * import goes away when the floor is a Node that has it, and the polyfill brings no locale data. Luxon has the same
 * accuracy, but an API of its own that would stay.
 */
import { Temporal } from 'temporal-polyfill';
import type { AllowedWindows, Weekday } from '../../protocol/config.ts';
import { windowSpan } from '../../protocol/config-rules.ts';

/** One accounting day: its name, and where it lies in epoch ms (start inclusive, end exclusive). */
export interface DaySpan {
  /** `2026-11-23`: the date on which it starts. */
  readonly day: string;
  readonly startMs: number;
  readonly endMs: number;
}

/** Whether play is allowed by the windows at a moment, and until when that holds; epoch ms, null: no end in sight. */
export interface WindowState {
  readonly open: boolean;
  readonly untilMs: number | null;
}

interface WindowMemo extends WindowState {
  readonly fromMs: number;
  /** The memo answers up to here. */
  readonly toMs: number;
}

type Windows = NonNullable<AllowedWindows>;

const WEEKDAYS: readonly Weekday[] = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const WEEKDAY_NAMES = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
/** How far ahead windows are looked at, days: a week and a day, so that every rule has come round once. */
const HORIZON_DAYS = 8;
const MAX_CALENDARS = 8;

export class Calendar {
  readonly zone: string;
  readonly startsAt: string;
  #day: DaySpan = { day: '', startMs: 0, endMs: 0 };
  #week: { readonly of: string; readonly days: readonly string[] } = { of: '', days: [] };
  /** The two looks of last: at now, and at the end of extra time. */
  readonly #windows = new WeakMap<Windows, readonly WindowMemo[]>();

  constructor(zone: string, startsAt: string) {
    this.zone = zone;
    this.startsAt = startsAt;
  }

  /** The day that holds this moment. */
  dayAt(ms: number): DaySpan {
    if (ms >= this.#day.startMs && ms < this.#day.endMs) return this.#day;
    let date = this.#local(ms).toPlainDate();
    if (this.#at(date, this.startsAt) > ms) date = date.subtract({ days: 1 });
    this.#day = {
      day: date.toString(),
      startMs: this.#at(date, this.startsAt),
      endMs: this.#at(date.add({ days: 1 }), this.startsAt),
    };
    return this.#day;
  }

  weekday(day: string): Weekday {
    return WEEKDAYS[this.weekOf(day).indexOf(day)] ?? 'mon';
  }

  /** The seven days of the calendar week, Monday first, that holds this day. */
  weekOf(day: string): readonly string[] {
    if (this.#week.days.includes(day)) return this.#week.days;
    const date = Temporal.PlainDate.from(day);
    const monday = date.subtract({ days: date.dayOfWeek - 1 });
    const days = WEEKDAYS.map((_, i) => monday.add({ days: i }).toString());
    this.#week = { of: day, days };
    return days;
  }

  /**
   * What the windows say at this moment. They follow the wall's dates, whatever the day start; windows that touch
   * are one; a weekday that nobody named is open all day.
   */
  windowAt(allowed: Windows, ms: number): WindowState {
    const memos = this.#windows.get(allowed) ?? [];
    const memo = memos.find(({ fromMs, toMs }) => ms >= fromMs && ms < toMs);
    if (memo) return memo;
    const fresh = this.#lookUp(allowed, ms);
    this.#windows.set(allowed, [fresh, ...memos.slice(0, 1)]);
    return fresh;
  }

  /** The open window that holds this moment, or the next one that opens; null: none within a week. */
  windowNear(allowed: Windows, ms: number): { readonly fromMs: number; readonly toMs: number } | null {
    const span = this.#spans(allowed, ms).find(([, to]) => to > ms);
    return span ? { fromMs: span[0], toMs: span[1] } : null;
  }

  /** `19:31` on the wall of this zone. */
  clockTime(ms: number): string {
    return this.#local(ms).toPlainTime().toString({ smallestUnit: 'minute' });
  }

  /** `Monday`. */
  weekdayName(ms: number): string {
    return WEEKDAY_NAMES[this.#local(ms).dayOfWeek - 1] ?? '';
  }

  /** `2026-11-23T19:31:00` on the wall of this zone. */
  localTime(ms: number): string {
    return this.#local(ms).toPlainDateTime().toString({ smallestUnit: 'second' });
  }

  /** A wall time of this zone (`2026-11-23T19:31`) as epoch ms. */
  parseLocal(text: string): number {
    return Temporal.PlainDateTime.from(text).toZonedDateTime(this.zone).epochMilliseconds;
  }

  #lookUp(allowed: Windows, ms: number): WindowMemo {
    const spans = this.#spans(allowed, ms);
    const horizon = spans.at(-1)?.[1] ?? ms;
    // A look must not outlive the local day, since the horizon moves with it.
    const limit = ms + 12 * 3_600_000;
    const open = spans.find(([from, to]) => from <= ms && ms < to);
    if (open) {
      const endless = open[1] >= horizon && horizon - ms > (HORIZON_DAYS - 2) * 86_400_000;
      const untilMs = endless ? null : open[1];
      return { open: true, untilMs, fromMs: open[0], toMs: Math.min(untilMs ?? limit, limit) };
    }
    const next = spans.find(([from]) => from > ms);
    const before = spans.findLast(([, to]) => to <= ms);
    const untilMs = next?.[0] ?? null;
    return {
      open: false,
      untilMs,
      fromMs: Math.max(before?.[1] ?? 0, ms - 3_600_000),
      toMs: Math.min(untilMs ?? limit, limit),
    };
  }

  /** The open spans from yesterday to the horizon, in order, those that touch or overlap joined. */
  #spans(allowed: Windows, ms: number): [from: number, to: number][] {
    const today = this.#local(ms).toPlainDate();
    const all: [number, number][] = [];
    for (let i = -1; i <= HORIZON_DAYS; i++) {
      const date = today.add({ days: i });
      const weekday = WEEKDAYS[date.dayOfWeek - 1] ?? 'mon';
      for (const text of allowed[weekday] ?? allowed.default ?? ['00:00-24:00']) {
        const [from, to] = windowSpan(text);
        all.push([this.#atMinute(date, from), this.#atMinute(date, to)]);
      }
    }
    all.sort((a, b) => a[0] - b[0]);
    const joined: [number, number][] = [];
    for (const span of all) {
      const last = joined.at(-1);
      if (last && span[0] <= last[1]) last[1] = Math.max(last[1], span[1]);
      else if (span[1] > span[0]) joined.push(span);
    }
    return joined;
  }

  #local(ms: number): Temporal.ZonedDateTime {
    return Temporal.Instant.fromEpochMilliseconds(Math.floor(ms)).toZonedDateTimeISO(this.zone);
  }

  /** A day start that a DST night skips is taken as much later as the night skips. */
  #at(date: Temporal.PlainDate, time: string): number {
    return date.toZonedDateTime({ timeZone: this.zone, plainTime: time }).epochMilliseconds;
  }

  /** One that a DST night skips is the moment at which the clocks change: from there on the wall is past it. */
  #atMinute(date: Temporal.PlainDate, minute: number): number {
    const plainTime = Temporal.PlainTime.from({
      hour: Math.floor((minute % 1_440) / 60),
      minute: minute % 60,
    });
    const on = date.add({ days: Math.floor(minute / 1_440) });
    const at = on.toZonedDateTime({ timeZone: this.zone, plainTime });
    const shown = at.toPlainTime().equals(plainTime) ? at : (at.getTimeZoneTransition('previous') ?? at);
    return shown.epochMilliseconds;
  }
}

const calendars = new Map<string, Calendar>();
let latest = new Calendar('UTC', '00:00');

/** The calendar of a zone and a day start (`04:00`); the same object while it is in use, so that its memos hold. */
export function calendarOf(zone: string, startsAt: string): Calendar {
  if (latest.zone === zone && latest.startsAt === startsAt) return latest;
  const key = `${zone} ${startsAt}`;
  latest = calendars.get(key) ?? new Calendar(zone, startsAt);
  if (calendars.size >= MAX_CALENDARS) calendars.clear();
  calendars.set(key, latest);
  return latest;
}
