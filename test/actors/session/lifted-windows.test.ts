/** Extra time and windows together (contract section 7, T4, T5): what a lifted end runs into, and how it is shown. */
import { describe, expect, it } from 'vitest';
import { config, KID, kid, MINUTE, machine, order, profile, warnings } from './playing.ts';

describe('a lifted window end', () => {
  it('that reaches the next window goes on to its end: what remains is told right, and nothing is warned of between', () => {
    // Two windows; before the only one; and with the end right at the opening.
    for (const [allowed, minutes] of [
      [['15:00-16:10', '16:40-18:00'], 45],
      [['15:00-16:10', '16:40-18:00'], 30],
      [['16:40-18:00'], 60],
      [['16:40-18:00'], 40],
    ] as const) {
      const pc = machine({ daily_limit_minutes: null, allowed: { default: [...allowed] } });
      expect(order(pc, 'extend_time', { minutes }).result).toMatchObject({
        remaining_minutes: 120,
        limited_by: 'window',
      });
      const pid = pc.start('roblox', KID);
      pc.advance(100 * MINUTE);
      expect(warnings(pc)).toEqual([]);
      expect(pc.isRunning(pid)).toBe(true);
      pc.advance(20 * MINUTE);
      expect(warnings(pc)).toEqual([15, 5, 1]);
      pc.advance(MINUTE);
      expect(pc.isRunning(pid)).toBe(false);
    }
  });

  it('that ends before the next window, or after it, ends when it was said', () => {
    const allowed = { default: ['15:00-16:10', '16:40-17:00'] };
    for (const [minutes, remaining] of [
      [20, 30],
      [80, 90],
    ] as const) {
      const pc = machine({ allowed });
      const { result } = order(pc, 'extend_time', { minutes });
      expect(result).toMatchObject({ remaining_minutes: remaining, limited_by: 'window' });
    }
  });

  it('a second extension adds to what remains', () => {
    const pc = machine({ daily_limit_minutes: null, allowed: { default: ['16:40-18:00'] } });
    order(pc, 'extend_time', { minutes: 60 });
    expect(order(pc, 'extend_time', { minutes: 15 }).result).toMatchObject({ remaining_minutes: 135 });
  });

  it('outside of a window the time that was given is shown, over the day start too', () => {
    const pc = machine({ allowed: { default: ['15:00-23:50'] } }, { wall: '2026-01-15T23:40' });
    order(pc, 'extend_time', { minutes: 60 });
    expect(kid(pc).limits.window).toBe('15:00-00:50');
    pc.advance(30 * MINUTE);
    expect(kid(pc).limits.window).toBe('00:10-00:50');
    pc.advance(40 * MINUTE);
    expect(kid(pc).limits.window).toBe('15:00-23:50');
  });

  it('an extension of one game that fits into the window leaves it to the configuration', () => {
    const kids = { games: { roblox: { daily_limit_minutes: 10 } } };
    const pc = machine({ ...kids, allowed: { default: ['15:00-19:00'] } });
    order(pc, 'extend_time', { minutes: 30, game: 'roblox' });
    pc.configure({
      ...config(),
      profiles: { [KID]: profile({ ...kids, allowed: { default: ['15:00-16:20'] } }) },
    });
    expect(kid(pc)).toMatchObject({ remaining_minutes: 20, limited_by: 'window' });
  });
});
