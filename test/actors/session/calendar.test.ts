import { describe, expect, it } from 'vitest';
import { Calendar } from '../../../src/actors/session/calendar.ts';
import { HOUR, MINUTE, wallMs } from './playing.ts';

const BERLIN = 'Europe/Berlin';

describe('days (T2)', () => {
  it('T2: a day is the calendar day of the zone', () => {
    const calendar = new Calendar(BERLIN, '00:00');
    expect(calendar.dayAt(wallMs('2026-01-15T00:00', BERLIN)).day).toBe('2026-01-15');
    expect(calendar.dayAt(wallMs('2026-01-15T00:00', BERLIN) - 1).day).toBe('2026-01-14');
  });

  it('T2: with a day start of 04:00 the small hours belong to the day before', () => {
    const calendar = new Calendar(BERLIN, '04:00');
    expect(calendar.dayAt(wallMs('2026-01-15T03:59', BERLIN)).day).toBe('2026-01-14');
    expect(calendar.dayAt(wallMs('2026-01-15T04:00', BERLIN)).day).toBe('2026-01-15');
  });

  it('the two nights of the year when clocks change: 23 and 25 hours', () => {
    const calendar = new Calendar(BERLIN, '00:00');
    const length = (wall: string) => {
      const { startMs, endMs } = calendar.dayAt(wallMs(wall, BERLIN));
      return (endMs - startMs) / HOUR;
    };
    expect(length('2026-03-29T12:00')).toBe(23);
    expect(length('2026-10-25T12:00')).toBe(25);
  });

  it('a day start that the spring night skips is as much later', () => {
    const calendar = new Calendar(BERLIN, '02:30');
    expect(calendar.dayAt(wallMs('2026-03-29T12:00', BERLIN)).startMs).toBe(
      wallMs('2026-03-29T03:30', BERLIN),
    );
  });

  it('weeks go from Monday to Sunday, over the turn of the year too', () => {
    const calendar = new Calendar('UTC', '00:00');
    expect(calendar.weekOf('2026-01-01')).toEqual([
      '2025-12-29',
      '2025-12-30',
      '2025-12-31',
      '2026-01-01',
      '2026-01-02',
      '2026-01-03',
      '2026-01-04',
    ]);
    expect(calendar.weekday('2026-01-01')).toBe('thu');
  });
});

describe('windows (C7)', () => {
  const calendar = new Calendar(BERLIN, '00:00');
  const at = (allowed: object, wall: string) => calendar.windowAt(allowed, wallMs(wall, BERLIN));

  it('window 22:00 to 06:00: allowed at 23:00 and at 05:00', () => {
    const allowed = { default: ['22:00-06:00'] };
    expect(at(allowed, '2026-01-15T23:00')).toMatchObject({
      open: true,
      untilMs: wallMs('2026-01-16T06:00', BERLIN),
    });
    expect(at(allowed, '2026-01-16T05:00').open).toBe(true);
    expect(at(allowed, '2026-01-16T06:00')).toMatchObject({
      open: false,
      untilMs: wallMs('2026-01-16T22:00', BERLIN),
    });
  });

  it('a window that crosses midnight belongs to the weekday it starts on', () => {
    const allowed = { fri: ['15:00-01:00'], sat: ['10:00-11:00'], default: [] };
    expect(at(allowed, '2026-01-17T00:30').open).toBe(true); // Saturday, Friday's window
    expect(at(allowed, '2026-01-18T00:30').open).toBe(false);
    expect(at(allowed, '2026-01-17T10:30').open).toBe(true);
  });

  it('windows that touch are one', () => {
    const allowed = { fri: ['15:00-24:00'], sat: ['00:00-02:00'], default: [] };
    expect(at(allowed, '2026-01-16T20:00').untilMs).toBe(wallMs('2026-01-17T02:00', BERLIN));
  });

  it('a weekday that nobody named is open all day; with all days open there is no end in sight', () => {
    expect(at({ sat: ['10:00-11:00'] }, '2026-01-15T03:00').untilMs).toBe(wallMs('2026-01-17T00:00', BERLIN));
    expect(at({}, '2026-01-15T03:00')).toMatchObject({ open: true, untilMs: null });
  });

  it('no window within a week: closed with no end in sight', () => {
    expect(at({ default: [] }, '2026-01-15T03:00')).toMatchObject({ open: false, untilMs: null });
  });

  it('a window whose end the spring night skips ends when the wall is past it, and opens so', () => {
    const changed = wallMs('2026-03-29T03:00', BERLIN);
    const at = (window: string, wall: string) =>
      new Calendar(BERLIN, '00:00').windowAt({ default: [window] }, wallMs(wall, BERLIN));
    expect(at('01:00-02:30', '2026-03-29T01:10')).toMatchObject({ open: true, untilMs: changed });
    expect(at('01:00-02:30', '2026-03-29T03:10').open).toBe(false);
    expect(at('02:30-04:00', '2026-03-29T01:10')).toMatchObject({ open: false, untilMs: changed });
    expect(at('02:30-04:00', '2026-03-29T03:10').open).toBe(true);
    expect(at('02:10-02:50', '2026-03-29T01:10').untilMs).toBe(wallMs('2026-03-30T02:10', BERLIN));
    expect(at('22:00-02:30', '2026-03-28T23:00').untilMs).toBe(changed);
  });

  it('the two nights of the year when clocks change: the window is as the wall says', () => {
    const allowed = { default: ['01:00-05:00'] };
    const open = (wall: string) => at(allowed, wall).untilMs ?? 0;
    expect(open('2026-03-29T01:00') - wallMs('2026-03-29T01:00', BERLIN)).toBe(3 * HOUR);
    expect(open('2026-10-25T01:00') - wallMs('2026-10-25T01:00', BERLIN)).toBe(5 * HOUR);
  });

  it('the memo never answers for another window: every quarter of an hour of a week agrees with a fresh calendar', () => {
    const allowed = {
      default: ['07:10-07:50', '15:00-19:30'],
      fri: ['15:00-01:00'],
      sat: ['09:00-12:00', '14:00-21:00'],
      sun: [],
    };
    for (
      let ms = wallMs('2026-03-27T00:00', BERLIN);
      ms < wallMs('2026-04-03T00:00', BERLIN);
      ms += 15 * MINUTE
    ) {
      const { open, untilMs } = new Calendar(BERLIN, '00:00').windowAt(allowed, ms);
      expect(calendar.windowAt(allowed, ms)).toMatchObject({ open, untilMs });
    }
  });
});
