/** What is left, what is warned of, what is closed: T4 to T6 and the cases of the field about limits. */
import { describe, expect, it } from 'vitest';
import {
  closes,
  config,
  HOUR,
  KID,
  kid,
  MINUTE,
  machine,
  notifications,
  order,
  SECOND,
  sessions,
  told,
  warnings,
} from './playing.ts';

describe('remaining time (T5)', () => {
  it('T5: the smallest of day, week and game counts, and is named', () => {
    const pc = machine({
      daily_limit_minutes: 100,
      weekly_limit_minutes: 90,
      games: { roblox: { daily_limit_minutes: 80 } },
    });
    expect(kid(pc)).toMatchObject({ remaining_minutes: 90, limited_by: 'week' });
    pc.start('roblox', KID);
    expect(kid(pc)).toMatchObject({ remaining_minutes: 80, limited_by: 'game' });
  });

  it('remaining time near the end of the window: the smaller of budget and window', () => {
    const pc = machine({ daily_limit_minutes: 60, allowed: { default: ['15:00-16:30'] } });
    pc.start('roblox', KID);
    expect(kid(pc)).toMatchObject({ remaining_minutes: 30, limited_by: 'window' });
  });

  it('T5: no limit at all: null, limited by nothing, never warned or closed', () => {
    const pc = machine({ daily_limit_minutes: null });
    pc.start('roblox', KID);
    pc.advance(7 * HOUR);
    expect(kid(pc)).toMatchObject({ remaining_minutes: null, limited_by: null });
    expect(told(pc)).toEqual(['session_started']);
  });

  it('C7: limits per weekday, the default for the others', () => {
    const limit = { default: 120, sat: 180, sun: null };
    const left = (wall: string) => kid(machine({ daily_limit_minutes: limit }, { wall })).remaining_minutes;
    expect(left('2026-01-16T12:00')).toBe(120);
    expect(left('2026-01-17T12:00')).toBe(180);
    expect(left('2026-01-18T12:00')).toBe(null);
  });

  it('C7: the weekday is that of the day in force, not of the date in UTC or on the wall', () => {
    const rules = { daily_limit_minutes: { fri: 30, sat: 200 } };
    const evening = machine(rules, { wall: '2026-01-16T20:00', zone: 'America/Los_Angeles' });
    expect(kid(evening).remaining_minutes).toBe(30);
    const night = machine(rules, {
      wall: '2026-01-17T03:00',
      day: { starts_at: '04:00', time_zone: 'system' },
    });
    expect(kid(night).remaining_minutes).toBe(30);
    night.advance(HOUR);
    expect(kid(night).remaining_minutes).toBe(200);
  });

  it('C7: the week runs from Monday to Sunday', () => {
    const pc = machine(
      { daily_limit_minutes: null, weekly_limit_minutes: 100 },
      { wall: '2026-01-16T16:00' },
    );
    const play = (ms: number) => {
      const pid = pc.start('roblox', KID);
      pc.advance(ms);
      pc.stop(pid);
    };
    play(30 * MINUTE);
    pc.advance(24 * HOUR);
    play(30 * MINUTE);
    expect(kid(pc)).toMatchObject({ remaining_minutes: 40, limits: { used_minutes_week: 60 } });
    pc.advance(36 * HOUR);
    expect(kid(pc)).toMatchObject({ remaining_minutes: 100, limits: { used_minutes_week: 0 } });
  });
});

describe('warnings (T4)', () => {
  it('T4: each fires once, at its minute, as event and as notification in this order', () => {
    const pc = machine({ daily_limit_minutes: 20 });
    pc.start('roblox', KID);
    pc.advance(20 * MINUTE);
    expect(told(pc)).toEqual([
      'session_started',
      'time_limit_warning 15',
      'notification time_limit_warning',
      'time_limit_warning 5',
      'notification time_limit_warning',
      'time_limit_warning 1',
      'notification time_limit_warning',
      'notification time_limit_exceeded',
    ]);
    expect(sessions(pc, 'time_limit_warning').map((s) => s.remaining_minutes)).toEqual([15, 5, 1]);
  });

  it('T4: a late tick fires the nearest one only', () => {
    const pc = machine({ daily_limit_minutes: 20 });
    pc.start('roblox', KID, { agoMs: 17 * MINUTE });
    expect(warnings(pc)).toEqual([5]);
    pc.advance(MINUTE);
    expect(warnings(pc)).toEqual([5]);
    pc.advance(MINUTE);
    expect(warnings(pc)).toEqual([5, 1]);
  });

  it('T4: over several sessions of a day each fires once', () => {
    const pc = machine({ daily_limit_minutes: 20 });
    for (let i = 0; i < 10; i++) {
      const pid = pc.start('roblox', KID);
      pc.advance(117 * SECOND);
      pc.stop(pid);
      pc.advance(MINUTE);
    }
    expect(warnings(pc)).toEqual([15, 5, 1]);
  });

  it('C9: a warning that cannot fire under the limit of the day is skipped', () => {
    const pc = machine({ daily_limit_minutes: 3, warn_minutes: [15, 3, 1] });
    pc.start('roblox', KID);
    pc.advance(3 * MINUTE);
    expect(warnings(pc)).toEqual([1]);
  });

  it('T4: a new day arms them again', () => {
    const pc = machine({ daily_limit_minutes: 6, auto_close: false }, { wall: '2026-01-15T23:50' });
    pc.start('roblox', KID);
    pc.advance(20 * MINUTE);
    expect(warnings(pc)).toEqual([5, 1, 5, 1]);
  });

  it('T4: midnight arms nothing whose bound goes on: the end of a window is warned of once', () => {
    const pc = machine(
      { allowed: { default: ['15:00-00:10'] }, warn_minutes: [15, 5] },
      { wall: '2026-01-15T23:50' },
    );
    pc.start('roblox', KID);
    pc.advance(9 * MINUTE);
    expect(warnings(pc)).toEqual([15]);
    pc.advance(10 * MINUTE);
    expect(warnings(pc)).toEqual([15, 5]);
  });

  it('two games at once: one warning of the common limit', () => {
    const pc = machine({ daily_limit_minutes: 20 });
    pc.start('roblox', KID);
    pc.start('minecraft', KID);
    pc.advance(20 * MINUTE);
    expect(warnings(pc)).toEqual([15, 5, 1]);
    expect(notifications(pc, 'time_limit_exceeded')).toHaveLength(1);
  });

  it('a game started near the end of the window is warned of the nearest at once', () => {
    const pc = machine({ allowed: { default: ['15:00-19:30'] } }, { wall: '2026-01-15T19:26' });
    pc.start('roblox', KID);
    pc.advance(3 * MINUTE);
    expect(warnings(pc)).toEqual([5, 1]);
  });

  it('a limit lowered in the middle of a session: the nearest warning at once', () => {
    const pc = machine();
    pc.start('roblox', KID);
    pc.advance(57 * MINUTE);
    order(pc, 'set_time_limit', { minutes: 60 });
    expect(warnings(pc)).toEqual([5]);
  });
});

describe('at zero (T6)', () => {
  it('one unbroken session passes the limit: warning and close happen inside it', () => {
    const pc = machine({ daily_limit_minutes: 20 });
    const pid = pc.start('roblox', KID);
    pc.advance(20 * MINUTE + 29 * SECOND);
    expect(notifications(pc, 'time_limit_exceeded')).toHaveLength(1);
    expect(closes(pc)).toEqual([]);
    pc.advance(SECOND);
    expect(pc.isRunning(pid)).toBe(false);
    expect(closes(pc)).toMatchObject([
      {
        child: KID,
        game: 'roblox',
        cause: 'day',
        why: {
          rule: 'day',
          sentence: 'Roblox was closed at 16:20: 20 of 20 minutes used today.',
          used_minutes: 20.5,
          limit_minutes: 20,
        },
      },
    ]);
    pc.advance(MINUTE);
    expect(sessions(pc, 'session_ended')).toMatchObject([{ end_reason: 'limit', duration_minutes: 20.5 }]);
  });

  it('T6: auto_close false: told only', () => {
    const pc = machine({ daily_limit_minutes: 20, auto_close: false });
    const pid = pc.start('roblox', KID);
    pc.advance(HOUR);
    expect(pc.isRunning(pid)).toBe(true);
    expect(notifications(pc, 'time_limit_exceeded')).toHaveLength(1);
    expect(kid(pc)).toMatchObject({ used_minutes_today: 60, remaining_minutes: 0 });
  });

  it('relaunch 2 s after the close: closed again, counted, told once a minute at most', () => {
    const pc = machine({ daily_limit_minutes: 20 });
    pc.start('roblox', KID);
    pc.advance(20 * MINUTE + 32 * SECOND);
    for (let i = 0; i < 15; i++) {
      const pid = pc.start('roblox', KID);
      pc.advance(0);
      expect(pc.isRunning(pid)).toBe(false);
      pc.advance(2 * SECOND);
    }
    expect(closes(pc)).toHaveLength(16);
    expect(notifications(pc, 'time_limit_exceeded')).toHaveLength(2);
    pc.advance(MINUTE);
    pc.start('roblox', KID);
    expect(notifications(pc, 'time_limit_exceeded').at(-1)).toContain(
      'started 16 times with no time left today',
    );
  });

  it('T6: starts with no time left are counted by day', () => {
    const pc = machine({ daily_limit_minutes: 0, grace_seconds: 0 });
    const refused = () => {
      pc.start('roblox', KID);
      pc.advance(2 * MINUTE);
      return notifications(pc, 'time_limit_exceeded').at(-1);
    };
    refused();
    expect(refused()).toContain('It was started 2 times with no time left today.');
    pc.advance(8 * HOUR);
    expect(refused()).not.toContain('times');
  });

  it('T6: play that was given back in between makes the next time told again, within a minute too', () => {
    const pc = machine({ daily_limit_minutes: 1, grace_seconds: 1 });
    const playUp = (ms: number) => {
      pc.start('roblox', KID);
      pc.advance(ms + 2 * SECOND);
    };
    playUp(MINUTE);
    order(pc, 'set_time_limit', { minutes: 1.2 });
    playUp(12 * SECOND);
    expect(notifications(pc, 'time_limit_exceeded')).toHaveLength(2);

    order(pc, 'set_time_limit', { minutes: null });
    for (let i = 0; i < 2; i++) {
      pc.start('roblox', KID);
      order(pc, 'pause', {});
      pc.advance(2 * SECOND);
      order(pc, 'resume', {});
    }
    expect(notifications(pc, 'pause')).toHaveLength(2);
    expect(closes(pc)).toHaveLength(4);
  });

  it('a second window in the grace time does not shorten it', () => {
    const pc = machine({ daily_limit_minutes: 20 });
    pc.start('roblox', KID);
    pc.advance(20 * MINUTE + 10 * SECOND);
    pc.start('roblox', KID);
    pc.advance(19 * SECOND);
    expect(closes(pc)).toEqual([]);
    pc.advance(SECOND);
    expect(closes(pc).map((c) => c.targets.length)).toEqual([2]);
  });

  it('a close is denied: told with its reason, retried from 1 s doubling to 30 s, never "closed"', () => {
    const pc = machine({ daily_limit_minutes: 1 });
    const pid = pc.start('roblox', KID, { obedience: 'denied' });
    pc.advance(90 * SECOND);
    const at = pc.awakeMs;
    const times: number[] = [];
    for (let i = 0; i < 70; i++) {
      const before = closes(pc).length;
      pc.advance(SECOND);
      if (closes(pc).length > before) times.push((pc.awakeMs - at) / SECOND);
    }
    expect(times).toEqual([1, 3, 7, 15, 31, 61]);
    expect(pc.isRunning(pid)).toBe(true);
    expect(notifications(pc, 'close_failed')).toHaveLength(2);
    expect(notifications(pc, 'close_failed')[0]).toContain('access was denied');
    expect(sessions(pc, 'session_ended')).toEqual([]);
  });

  it('a close of which nothing is heard is ordered again', () => {
    const pc = machine({ daily_limit_minutes: 1 }, { options: { closeTakesMs: HOUR } });
    pc.start('roblox', KID);
    pc.advance(90 * SECOND);
    expect(closes(pc)).toHaveLength(1);
    pc.advance(20 * SECOND);
    expect(closes(pc)).toHaveLength(2);
    expect(new Set(closes(pc).map((c) => c.ticket)).size).toBe(2);
  });

  it('tried before the window opens, then inside it: refused, then allowed', () => {
    const pc = machine({ allowed: { default: ['15:00-19:30'] } }, { wall: '2026-01-15T14:50' });
    const early = pc.start('roblox', KID);
    pc.advance(0);
    expect(pc.isRunning(early)).toBe(false);
    expect(closes(pc)[0]).toMatchObject({
      cause: 'window',
      why: { sentence: 'Roblox was closed at 14:50: play is not allowed at this time, again from 15:00.' },
    });
    pc.advance(11 * MINUTE);
    const inside = pc.start('roblox', KID);
    pc.advance(HOUR);
    expect(pc.isRunning(inside)).toBe(true);
  });

  it('the window ends in a session: warned, then closed after the grace time', () => {
    const pc = machine({ allowed: { default: ['15:00-16:20'] } });
    const pid = pc.start('roblox', KID);
    pc.advance(20 * MINUTE + 29 * SECOND);
    expect(warnings(pc)).toEqual([15, 5, 1]);
    expect(pc.isRunning(pid)).toBe(true);
    pc.advance(SECOND);
    expect(pc.isRunning(pid)).toBe(false);
    expect(closes(pc)[0]?.cause).toBe('window');
  });

  it('T6: a relaunch that is refused is told once a minute, however soon the next one follows', () => {
    const pc = machine({ daily_limit_minutes: 3 });
    pc.start('roblox', KID);
    pc.advance(4.5 * MINUTE);
    for (let times = 0; times < 3; times++) pc.start('roblox', KID);
    pc.advance(SECOND);
    expect(notifications(pc, 'time_limit_exceeded')).toHaveLength(2);
  });

  it("a game's own budget closes that game only", () => {
    const pc = machine({ games: { roblox: { daily_limit_minutes: 20 } } });
    const roblox = pc.start('roblox', KID);
    const minecraft = pc.start('minecraft', KID);
    pc.advance(21 * MINUTE);
    expect(pc.isRunning(roblox)).toBe(false);
    expect(pc.isRunning(minecraft)).toBe(true);
    expect(closes(pc)[0]?.why.sentence).toContain('minutes of Roblox used today');
  });

  it("one child's limit does not touch another's game", () => {
    const both = config({ daily_limit_minutes: 20, os_users: ['anna'] });
    const anna = both.profiles[KID]!;
    const pc = machine(
      {},
      { profiles: { [KID]: anna, ben: { ...anna, os_users: ['ben'], daily_limit_minutes: 60 } } },
    );
    const annas = pc.start('roblox', KID);
    const bens = pc.start('roblox', 'ben');
    pc.advance(21 * MINUTE);
    expect([pc.isRunning(annas), pc.isRunning(bens)]).toEqual([false, true]);
  });
});

describe('configuration changed in the middle of a session', () => {
  it('a lower limit holds at once', () => {
    const pc = machine();
    const pid = pc.start('roblox', KID);
    pc.advance(30 * MINUTE);
    pc.configure(config({ daily_limit_minutes: 20 }));
    expect(notifications(pc, 'time_limit_exceeded')).toHaveLength(1);
    pc.advance(30 * SECOND);
    expect(pc.isRunning(pid)).toBe(false);
  });

  it('a raised limit takes a grace time back', () => {
    const pc = machine({ daily_limit_minutes: 20 });
    const pid = pc.start('roblox', KID);
    pc.advance(20 * MINUTE + 5 * SECOND);
    pc.configure(config({ daily_limit_minutes: 60 }));
    pc.advance(20 * MINUTE);
    expect(pc.isRunning(pid)).toBe(true);
    expect(closes(pc)).toEqual([]);
  });

  it('a session of a game that is not configured any more ends', () => {
    const pc = machine();
    pc.start('minecraft', KID);
    pc.advance(10 * MINUTE);
    pc.configure(config({}, { games: ['roblox'] }));
    expect(sessions(pc, 'session_ended')).toMatchObject([
      { game: 'minecraft', end_reason: 'config', duration_minutes: 10 },
    ]);
    expect(kid(pc).used_minutes_today).toBe(10);
  });
});
