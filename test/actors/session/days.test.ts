/** Midnights, DST nights, suspends, an agent that was away, and a child at the clock: T1 to T3, T7. */
import { describe, expect, it } from 'vitest';
import { initialState, provenAt, step } from '../../../src/actors/session/behavior.ts';
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
  told,
  warnings,
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

  it('T2: a night asleep opens the new day', () => {
    const pc = machine({ daily_limit_minutes: 20 });
    pc.start('roblox', KID);
    pc.advance(15 * MINUTE);
    pc.suspend(16 * HOUR);
    expect(kid(pc)).toMatchObject({ used_minutes_today: 0, remaining_minutes: 20 });
  });
});

describe('the agent was away (T3, T7)', () => {
  it('the agent stopped 30 min while the game ran on: 30 min charged, flagged as a gap, same session', () => {
    const pc = machine();
    const pid = pc.start('roblox', KID);
    pc.advance(10 * MINUTE);
    pc.agentDown();
    pc.advance(30 * MINUTE);
    pc.agentUp();
    expect(kid(pc)).toMatchObject({ playing: true, used_minutes_today: 40 });
    pc.stop(pid);
    pc.advance(MINUTE);
    expect(told(pc).filter((t) => t.startsWith('session'))).toEqual(['session_started', 'session_ended']);
    expect(sessions(pc, 'session_ended')).toMatchObject([
      {
        session_id: sessions(pc, 'session_started')[0]?.session_id,
        duration_minutes: 40,
        gaps: [
          {
            from: '2026-01-15T16:10:00.000Z',
            to: '2026-01-15T16:40:00.000Z',
            charged_minutes: 30,
            reason: 'agent_down',
          },
        ],
      },
    ]);
  });

  it('the agent stopped 30 min while the PC slept: nothing charged', () => {
    const pc = machine();
    pc.start('roblox', KID);
    pc.advance(10 * MINUTE);
    pc.agentDown();
    pc.suspend(30 * MINUTE);
    pc.agentUp();
    expect(kid(pc).used_minutes_today).toBe(10);
  });

  it('T3: an agent that was stopped as a whole for 5 s: charged, listed as a gap, over midnight too', () => {
    const pc = machine({}, { wall: '2026-01-15T23:49:58' });
    const pid = pc.start('roblox', KID);
    pc.advance(8 * MINUTE);
    pc.freeze(5 * SECOND);
    pc.advance(MINUTE + 54 * SECOND);
    pc.freeze(9 * SECOND);
    pc.stop(pid);
    pc.advance(MINUTE);
    const [ended] = sessions(pc, 'session_ended');
    expect(ended).toMatchObject({
      duration_seconds: 10 * 60 + 8,
      by_day: { '2026-01-15': 10.033, '2026-01-16': 0.1 },
      gaps: [
        {
          from: '2026-01-15T23:57:58.000Z',
          to: '2026-01-15T23:58:03.000Z',
          charged_minutes: 0.083,
          reason: 'agent_stopped',
        },
        { from: '2026-01-15T23:59:57.000Z', charged_minutes: 0.05 },
        { to: '2026-01-16T00:00:06.000Z', charged_minutes: 0.1 },
      ],
    });
  });

  it('T7: no second warning after a restart, and none lost', () => {
    const pc = machine({ daily_limit_minutes: 20 });
    pc.start('roblox', KID);
    for (let i = 0; i < 20; i++) {
      pc.advance(MINUTE);
      pc.agentDown();
      pc.agentUp();
    }
    expect(warnings(pc)).toEqual([15, 5, 1]);
    expect(notifications(pc, 'time_limit_exceeded')).toHaveLength(1);
    expect(kid(pc).used_minutes_today).toBe(20);
  });

  it('T7: the grace time goes on where it was', () => {
    const pc = machine({ daily_limit_minutes: 20 });
    const pid = pc.start('roblox', KID);
    pc.advance(20 * MINUTE + 10 * SECOND);
    pc.agentDown();
    pc.agentUp();
    pc.advance(19 * SECOND);
    expect(pc.isRunning(pid)).toBe(true);
    pc.advance(SECOND);
    expect(pc.isRunning(pid)).toBe(false);
    expect(notifications(pc, 'time_limit_exceeded')).toHaveLength(1);
  });

  it('E1: a game that ended while the agent was away is charged to the last proven moment', () => {
    const pc = machine();
    const pid = pc.start('roblox', KID);
    pc.advance(10 * MINUTE + 5 * SECOND);
    pc.agentDown();
    pc.advance(MINUTE);
    pc.stop(pid);
    pc.advance(MINUTE);
    pc.agentUp();
    pc.advance(MINUTE);
    expect(sessions(pc, 'session_ended')).toMatchObject([
      { duration_seconds: 605, time_end: '2026-01-15T16:10:05.000Z', end_reason: 'agent_down' },
    ]);
  });

  it('E1: what was proven after the last writing of the ledger is charged, over a boot too, and never twice', () => {
    const pc = machine();
    pc.start('roblox', KID);
    pc.advance(10 * MINUTE + 5 * SECOND);
    const init = { config: config(), ledger: pc.ledger() };
    const [now, proven] = [pc.reading(), { bootId: 'boot-1', awakeMs: pc.awakeMs, nowMs: pc.wallMs }];
    const booted = { ...now, bootId: 'boot-2', wallMs: now.wallMs + HOUR };
    const endedAt = (moment: typeof proven | null) => {
      const [, effects] = step(initialState(init, booted, moment), { type: 'tick' }, booted);
      const [said] = effects.flatMap((e) => (e.type === 'session.output' ? [e] : []));
      const [row] = said?.ledger.usage.filter((r) => r.game === 'roblox') ?? [];
      return [said?.ledger.sessions[0]?.time_end?.slice(11, 19), row?.usedMs];
    };
    expect(endedAt(proven)).toEqual(['16:10:05', 605 * SECOND]);
    // Of another boot, older than the ledger, or none: the ledger's moment.
    for (const moment of [{ ...proven, bootId: 'boot-0' }, { ...proven, awakeMs: now.awakeMs - HOUR }, null])
      expect(endedAt(moment)[0]).toBe('16:10:00');
  });

  it('E1: nothing is proven while nobody plays, nor before a fresh actor knows what still runs', () => {
    const pc = machine();
    expect(provenAt(pc.state, pc.reading())).toBeNull();
    pc.start('roblox', KID);
    pc.advance(MINUTE + 500);
    const moment = { bootId: 'boot-1', awakeMs: pc.awakeMs, nowMs: pc.wallMs };
    expect(provenAt(pc.state, pc.reading())).toEqual(moment);
    const fresh = initialState({ config: config(), ledger: pc.ledger() }, pc.reading());
    expect(provenAt(fresh, pc.reading())).toBeNull();
  });

  it('a game started while the agent was away is charged from its own start', () => {
    const pc = machine();
    pc.agentDown();
    pc.advance(MINUTE);
    pc.start('roblox', KID);
    pc.advance(10 * MINUTE);
    pc.agentUp();
    expect(kid(pc).used_minutes_today).toBe(10);
  });

  it('a reboot ends the session at the last proven moment; usage is kept', () => {
    const pc = machine();
    pc.start('roblox', KID);
    pc.advance(10 * MINUTE);
    pc.reboot(MINUTE);
    expect(sessions(pc, 'session_ended')).toMatchObject([
      { duration_minutes: 10, end_reason: 'machine_restart' },
    ]);
    expect(kid(pc)).toMatchObject({ playing: false, used_minutes_today: 10 });
    pc.start('roblox', KID);
    pc.advance(10 * MINUTE);
    expect(kid(pc).used_minutes_today).toBe(20);
  });

  it('the scanner was replaced: what runs on goes on, what is gone ended, what is new starts', () => {
    const pc = machine();
    pc.start('roblox', KID);
    pc.advance(10 * MINUTE);
    pc.rescan();
    pc.advance(10 * MINUTE);
    pc.send({ type: 'processes.snapshot', processes: [] });
    pc.advance(MINUTE);
    expect(told(pc)).toContain('session_ended');
    expect(sessions(pc, 'session_ended')).toMatchObject([{ duration_minutes: 20, gaps: [] }]);
  });

  it('T7: a ledger with records that are not whole still starts', () => {
    const init = {
      config: config(),
      ledger: {
        usage: [],
        state: { clock: { clock: {} }, [`child ${KID}`]: 7, 'session x': { id: 'x' }, 'session y': null },
      },
    };
    const pc = machine();
    const [state] = step(initialState(init, pc.reading()), { type: 'tick' }, pc.reading());
    expect(state.sessions.size).toBe(0);
    expect(state.clock.day.day).toBe('2026-01-15');
  });

  it('the row of a day keeps the limit that was in force then', () => {
    const pc = machine({ daily_limit_minutes: 60 });
    order(pc, 'extend_time', { minutes: 15 });
    const pid = pc.start('roblox', KID);
    pc.advance(10 * MINUTE);
    pc.stop(pid);
    pc.advance(24 * HOUR);
    pc.configure(config({ daily_limit_minutes: 20 }));
    pc.settle();
    const row = pc.ledger().usage.find((r) => r.day === '2026-01-15' && r.game === '');
    expect(row).toMatchObject({ usedMs: 10 * MINUTE, limitMinutes: 75 });
  });

  it('a day without play has a row with its limit, which follows a reload and a command', () => {
    const pc = machine({ daily_limit_minutes: { default: 60, fri: 90 } });
    const rows = () =>
      pc.usage().map(({ day, game, usedMs, limitMinutes }) => [day, game, usedMs, limitMinutes]);
    expect(rows()).toEqual([['2026-01-15', '', 0, 60]]);
    pc.configure(config({ daily_limit_minutes: 70 }));
    expect(rows()).toEqual([['2026-01-15', '', 0, 70]]);
    order(pc, 'set_time_limit', { minutes: 45 });
    expect(rows()).toEqual([['2026-01-15', '', 0, 45]]);
    pc.advance(9 * HOUR);
    expect(rows()).toEqual([
      ['2026-01-15', '', 0, 45],
      ['2026-01-16', '', 0, 45],
    ]);
  });

  it('T7: what was played on the other days of the week is known after a restart', () => {
    const pc = machine({ weekly_limit_minutes: 100 }, { wall: '2026-01-13T20:00' });
    const pid = pc.start('roblox', KID);
    pc.advance(60 * MINUTE);
    pc.stop(pid);
    pc.advance(20 * HOUR);
    pc.agentDown();
    pc.agentUp();
    expect(kid(pc)).toMatchObject({ used_minutes_today: 0, remaining_minutes: 40, limited_by: 'week' });
  });

  it('T7: extensions are kept, over the night they are not', () => {
    const pc = machine({ daily_limit_minutes: 20 });
    order(pc, 'extend_time', { minutes: 10 });
    pc.agentDown();
    pc.agentUp();
    expect(kid(pc).remaining_minutes).toBe(30);
    pc.agentDown();
    pc.advance(10 * HOUR);
    pc.agentUp();
    expect(kid(pc).remaining_minutes).toBe(20);
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
});
