/** Midnights, DST nights, suspends, and a child at the clock: T1 to T3. */
import { describe, expect, it } from 'vitest';
import {
  agentEvents,
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
} from './playing.ts';

describe('across the day start (T2)', () => {
  it('session 23:40 to 00:20: 20 minutes to each day, one session, the new day’s limit applies', () => {
    const pc = machine({ daily_limit_minutes: 30 }, { wall: '2026-01-15T23:40' });
    const pid = pc.start('roblox', KID);
    pc.advance(40 * MINUTE);
    expect(kid(pc)).toMatchObject({ used_minutes_today: 20, remaining_minutes: 10 });
    pc.stop(pid);
    pc.advance(MINUTE);
    expect(sessions(pc, 'session_ended')).toMatchObject([
      { duration_minutes: 40, used_minutes_today: 20, by_day: { '2026-01-15': 20, '2026-01-16': 20 } },
    ]);
    expect(pc.usedMs(KID, '2026-01-15')).toBe(20 * MINUTE);
    expect(pc.usedMs(KID, '2026-01-16')).toBe(20 * MINUTE);
  });

  it('day starts at 04:00, session 03:30 to 04:30: 30 minutes to each day', () => {
    const pc = machine({}, { wall: '2026-01-15T03:30', day: { starts_at: '04:00', time_zone: 'system' } });
    const pid = pc.start('roblox', KID);
    pc.advance(HOUR);
    pc.stop(pid);
    pc.advance(MINUTE);
    expect(sessions(pc, 'session_ended')[0]?.by_day).toEqual({ '2026-01-14': 30, '2026-01-15': 30 });
  });

  it('a game whose time is up at 23:59 and in its grace time at midnight plays on with the new day', () => {
    const pc = machine({ daily_limit_minutes: 10 }, { wall: '2026-01-15T23:49:50' });
    const pid = pc.start('roblox', KID);
    pc.advance(15 * MINUTE);
    expect(pc.isRunning(pid)).toBe(true);
    expect(notifications(pc, 'time_limit_exceeded')).toHaveLength(1);
  });

  it('a session that ended just before midnight keeps the figures of its moment', () => {
    const pc = machine({}, { wall: '2026-01-15T23:49:55' });
    const pid = pc.start('roblox', KID);
    pc.advance(10 * MINUTE);
    pc.stop(pid);
    pc.advance(MINUTE);
    expect(sessions(pc, 'session_ended')).toMatchObject([{ used_minutes_today: 10, remaining_minutes: 110 }]);
  });

  it('a session whose only day is not the date of its UTC start says so', () => {
    const pc = machine({}, { wall: '2026-01-15T00:10', zone: 'Europe/Berlin' });
    pc.start('roblox', KID);
    pc.advance(MINUTE);
    pc.settle();
    expect(pc.outputs.at(-1)?.ledger.sessions[0]).toMatchObject({ by_day: { '2026-01-15': 1 } });
  });

  it('the two nights of the year when clocks change: minutes as the stopwatch says, the window as the wall says', () => {
    for (const [wall, stopwatch] of [
      ['2026-03-29T01:00', 3 * HOUR],
      ['2026-10-25T01:00', 5 * HOUR],
    ] as const) {
      const pc = machine(
        { daily_limit_minutes: null, allowed: { default: ['01:00-05:00'] } },
        { wall, zone: 'Europe/Berlin' },
      );
      const pid = pc.start('roblox', KID);
      pc.advance(stopwatch);
      expect(pc.isRunning(pid)).toBe(true);
      pc.advance(30 * SECOND);
      expect(pc.isRunning(pid)).toBe(false);
      expect(kid(pc).used_minutes_today).toBe((stopwatch + 30 * SECOND) / MINUTE);
    }
  });
});

describe('suspend (T3)', () => {
  it('suspend for 8 h with the game open: nothing charged, listed', () => {
    const pc = machine();
    const pid = pc.start('roblox', KID);
    pc.advance(10 * MINUTE);
    pc.suspend(8 * HOUR);
    pc.advance(10 * MINUTE);
    pc.stop(pid);
    pc.advance(MINUTE);
    const [ended] = sessions(pc, 'session_ended');
    expect(ended).toMatchObject({ duration_minutes: 20, time_end: '2026-01-16T00:20:00.000Z' });
    expect(ended?.gaps).toEqual([
      {
        from: '2026-01-15T16:10:00.000Z',
        to: '2026-01-16T00:10:00.000Z',
        charged_minutes: 0,
        reason: 'suspend',
      },
    ]);
    expect(agentEvents(pc)).toEqual([]);
  });

  it('T7: a suspend stays listed though the agent is killed soon after the wake', () => {
    const pc = machine();
    const pid = pc.start('roblox', KID);
    pc.advance(10 * MINUTE + SECOND);
    pc.suspend(5 * HOUR);
    pc.advance(20 * SECOND);
    pc.agentDown();
    pc.agentUp();
    pc.stop(pid);
    pc.advance(MINUTE);
    const [ended] = sessions(pc, 'session_ended');
    expect(ended?.duration_seconds).toBe(621);
    expect(ended?.gaps).toMatchObject([{ from: '2026-01-15T16:10:01.000Z', reason: 'suspend' }]);
  });

  it('T2: a night asleep opens the new day', () => {
    const pc = machine({ daily_limit_minutes: 20 });
    pc.start('roblox', KID);
    pc.advance(15 * MINUTE);
    pc.suspend(16 * HOUR);
    expect(kid(pc)).toMatchObject({ used_minutes_today: 0, remaining_minutes: 20 });
  });

  it('T2: woken, booted or started only in the evening: the next morning has its own budget all the same', () => {
    for (const come of ['suspend', 'reboot', 'agent'] as const) {
      const pc = machine({ daily_limit_minutes: 20, grace_seconds: 0 }, { wall: '2026-01-15T21:00' });
      if (come === 'agent') pc.agentDown();
      if (come === 'suspend') pc.suspend(21 * HOUR);
      else if (come === 'reboot') pc.reboot(21 * HOUR);
      else pc.advance(21 * HOUR);
      if (come === 'agent') pc.agentUp();
      pc.start('roblox', KID);
      pc.advance(HOUR);
      expect(kid(pc), come).toMatchObject({ used_minutes_today: 20, remaining_minutes: 0 });
      pc.suspend(14 * HOUR);
      expect(pc.settle().today, come).toBe('2026-01-17');
      expect(kid(pc), come).toMatchObject({ used_minutes_today: 0, remaining_minutes: 20 });
    }
  });
});

describe('a child at the clock (T1)', () => {
  it('clock −2 h, +1 day, back again; zone moved 5 h west: used minutes never shrink, no second budget', () => {
    const pc = machine({ daily_limit_minutes: 60 }, { zone: 'Europe/Berlin' });
    pc.start('roblox', KID);
    let used = 0;
    const play = () => {
      pc.advance(10 * MINUTE);
      const now = kid(pc).used_minutes_today;
      expect(now).toBeGreaterThanOrEqual(used + 10);
      used = now;
    };
    play();
    pc.stepWall(-2 * HOUR);
    play();
    pc.stepWall(26 * HOUR);
    play();
    pc.stepWall(-24 * HOUR);
    play();
    pc.setZone('America/New_York');
    play();
    expect(kid(pc)).toMatchObject({ used_minutes_today: 50, remaining_minutes: 10 });
    expect(agentEvents(pc).map((e) => e.event_type)).toEqual(Array(4).fill('clock_changed'));
    expect(sessions(pc, 'session_started')).toHaveLength(1);
  });

  it('clock +1 day in the evening, played, clock back: tomorrow’s budget was not opened', () => {
    const pc = machine({ daily_limit_minutes: 60 }, { wall: '2026-01-15T20:00' });
    const first = pc.start('roblox', KID);
    pc.advance(HOUR);
    pc.stepWall(24 * HOUR);
    pc.advance(MINUTE);
    expect(pc.isRunning(first)).toBe(false);
    const second = pc.start('roblox', KID);
    pc.advance(0);
    expect(pc.isRunning(second)).toBe(false);
    pc.stepWall(-24 * HOUR);
    pc.advance(4 * HOUR);
    expect(kid(pc)).toMatchObject({ used_minutes_today: 0, remaining_minutes: 60 });
  });

  it('T1: a step is told at once, with its size and when it is adopted', () => {
    const pc = machine();
    pc.stepWall(-2 * HOUR);
    expect(agentEvents(pc)).toMatchObject([
      {
        event_type: 'clock_changed',
        data: {
          kind: 'step',
          step_seconds: -7_200,
          trusted_time: '2026-01-15T16:00:00.000Z',
          wall_time: '2026-01-15T14:00:00.000Z',
          adopted_at: '2026-01-16T00:00:00.000Z',
        },
      },
    ]);
  });

  it('T1: the agent killed, the clock stepped, the agent back: still the same day', () => {
    const pc = machine({ daily_limit_minutes: 20 });
    pc.start('roblox', KID);
    pc.advance(15 * MINUTE);
    pc.agentDown();
    pc.stepWall(24 * HOUR);
    pc.agentUp();
    expect(kid(pc)).toMatchObject({ used_minutes_today: 15, remaining_minutes: 5 });
    expect(agentEvents(pc)).toHaveLength(1);
  });

  it('T1: a window does not open for a clock that was set into it', () => {
    const pc = machine({ allowed: { default: ['18:00-19:00'] } });
    pc.stepWall(2 * HOUR);
    pc.start('roblox', KID);
    expect(closes(pc)[0]?.cause).toBe('window');
  });

  it('T1: a pause lasts as long as was said, however the clock is set before the day start', () => {
    for (const hours of [3, -3, 24, -24]) {
      const pc = machine({}, { wall: '2026-01-15T23:50' });
      order(pc, 'pause', { minutes: 120 });
      pc.advance(5 * MINUTE);
      pc.stepWall(hours * HOUR);
      pc.advance(115 * MINUTE - SECOND);
      expect(kid(pc).limited_by, `${hours} h`).toBe('pause');
      pc.advance(SECOND);
      expect(kid(pc).limited_by, `${hours} h`).toBe('day');
    }
  });

  it('T1: so does a pause over whose day start the agent was away', () => {
    const pc = machine({}, { wall: '2026-01-15T23:50' });
    order(pc, 'pause', { minutes: 120 });
    pc.agentDown();
    pc.stepWall(3 * HOUR);
    pc.advance(30 * MINUTE);
    pc.agentUp();
    expect(kid(pc)).toMatchObject({ limited_by: 'pause', paused_until: '2026-01-16T04:50:00.000Z' });
  });

  it('T1: extra minutes outside of a window last as long as was said, with the clock set back too', () => {
    const pc = machine({ allowed: { default: ['15:00-19:00'] } }, { wall: '2026-01-15T23:40' });
    order(pc, 'extend_time', { minutes: 60 });
    pc.advance(10 * MINUTE);
    pc.stepWall(-3 * HOUR);
    pc.advance(15 * MINUTE);
    expect(pc.settle().today).toBe('2026-01-15');
    expect(kid(pc)).toMatchObject({ remaining_minutes: 35, limited_by: 'window' });
  });

  it('T2: extra minutes of today stay when a reload gives today another name, and go with its end', () => {
    const pc = machine({ daily_limit_minutes: 30 }, { wall: '2026-01-15T16:00' });
    const startAt = (starts_at: string) =>
      pc.configure(config({ daily_limit_minutes: 30 }, { day: { starts_at, time_zone: 'system' } }));
    const left = () => [pc.settle().today, kid(pc).remaining_minutes];
    order(pc, 'extend_time', { minutes: 60 });
    startAt('17:00');
    expect(left()).toEqual(['2026-01-14', 90]);
    startAt('00:00');
    expect(left()).toEqual(['2026-01-15', 90]);
    pc.advance(8 * HOUR);
    expect(left()).toEqual(['2026-01-16', 30]);
  });
});
