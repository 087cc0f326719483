/** The agent that died and came back: what was played, told and ordered in between (E1, T3, T7). */
import { describe, expect, it } from 'vitest';
import { initialState, provenAt, step } from '../../../src/actors/session/behavior.ts';
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

describe('the agent was away (T3, T7)', () => {
  it.each(['is restarted', 'and the PC are off'] as const)(
    'E1: a game that ended while the agent %s is told with what was left of its window when it went',
    (how) => {
      const pc = machine({ daily_limit_minutes: null, allowed: { default: ['15:00-19:30'] } });
      const pid = pc.start('roblox', KID);
      pc.advance(10 * MINUTE + 20 * SECOND);
      pc.agentDown();
      pc.advance(40 * MINUTE);
      if (how === 'is restarted') {
        pc.stop(pid);
        pc.agentUp();
      } else pc.reboot(0);
      expect(sessions(pc, 'session_ended')).toMatchObject([
        { time_end: '2026-01-15T16:10:20.000Z', remaining_minutes: 199.667, limited_by: 'window' },
      ]);
    },
  );

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
        { from: '2026-01-15T23:59:57.000Z', to: '2026-01-16T00:00:06.000Z', charged_minutes: 0.15 },
      ],
    });
  });

  it('E1, T2: killed while the agent was stopped over midnight: charged to the last look, no day start proves more', () => {
    const pc = machine({}, { wall: '2026-01-15T23:40' });
    pc.start('roblox', KID);
    pc.advance(10 * MINUTE);
    const later = { ...pc.reading(), awakeMs: pc.awakeMs + HOUR, elapsedMs: pc.awakeMs + HOUR };
    const now = { ...later, wallMs: later.wallMs + HOUR };
    const [state] = step(pc.state, { type: 'processes.snapshot', processes: [] }, now, pc.awakeMs);
    expect(state.clock.day.day).toBe('2026-01-16');
    expect([...(state.children.get(KID)?.past ?? [])]).toMatchObject([
      ['2026-01-15', { usedMs: { roblox: 10 * MINUTE } }],
    ]);
    expect(state.children.get(KID)?.today.usedMs).toEqual({});
  });

  it('E1: a fresh actor has proven nothing before its first snapshot, though it looks', () => {
    const pc = machine();
    const pid = pc.start('roblox', KID);
    pc.advance(10 * MINUTE);
    const before = initialState({ config: config(), ledger: pc.ledger() }, pc.reading());
    pc.agentDown();
    pc.advance(MINUTE);
    const [fresh] = step(before, { type: 'tick' }, pc.reading());
    const [identity] = fresh.sessions.values().next().value?.members ?? [];
    expect(identity?.pid).toBe(pid);
    const stop = { type: 'process.stopped', identity: identity!, endedAwakeMs: null } as const;
    const [state] = step(fresh, stop, pc.reading());
    expect(state.children.get(KID)?.today.usedMs).toMatchObject({ roblox: 10 * MINUTE });
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

  it('T7: a close that was under way when the agent died is ordered again at once, and the game was closed', () => {
    const pc = machine({ daily_limit_minutes: 20 }, { options: { closeTakesMs: 5 * SECOND } });
    const pid = pc.start('roblox', KID);
    pc.advance(20 * MINUTE + 30 * SECOND);
    expect(closes(pc)).toHaveLength(1);
    pc.advance(SECOND);
    pc.agentDown();
    pc.agentUp();
    expect(closes(pc).map((c) => [c.cause, c.targets.map((t) => t.pid)])).toEqual([
      ['day', [pid]],
      ['day', [pid]],
    ]);
    expect(new Set(closes(pc).map((c) => c.ticket)).size).toBe(2);
    pc.advance(5 * SECOND);
    expect(pc.isRunning(pid)).toBe(false);
    pc.advance(MINUTE);
    expect(notifications(pc, 'time_limit_exceeded')).toHaveLength(1);
    expect(sessions(pc, 'session_ended')).toMatchObject([{ end_reason: 'limit' }]);
    expect(closes(pc)).toHaveLength(2);
  });

  it('T7: a game that obeyed the close while the agent was dead was closed by it; the next start is refused', () => {
    const pc = machine({ daily_limit_minutes: 20 }, { options: { closeTakesMs: 5 * SECOND } });
    const pid = pc.start('roblox', KID);
    pc.advance(20 * MINUTE + 31 * SECOND);
    pc.agentDown();
    pc.stop(pid);
    const again = pc.start('roblox', KID);
    pc.agentUp();
    expect(closes(pc).map((c) => c.targets.map((t) => t.pid))).toEqual([[pid], [again]]);
    pc.advance(MINUTE);
    expect(pc.isRunning(again)).toBe(false);
    expect(sessions(pc, 'session_ended')).toMatchObject([{ end_reason: 'limit' }]);
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
      const [waiting, first] = step(initialState(init, booted, moment), { type: 'tick' }, booted);
      const [, effects] = step(waiting, { type: 'processes.snapshot', processes: [] }, booted);
      const said = [...first, ...effects].flatMap((e) => (e.type === 'session.output' ? [e.ledger] : []));
      const rows = said.flatMap((ledger) => ledger.usage.filter((r) => r.game === 'roblox'));
      const [ended] = said.flatMap((ledger) => ledger.sessions.filter((s) => !s.is_active));
      return [ended?.time_end?.slice(11, 19), rows.at(-1)?.usedMs];
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

  it('E1, T7: a game that came back in time while the agent was away goes on with its session', () => {
    for (const awayMs of [5 * SECOND, 30 * MINUTE]) {
      const pc = machine();
      pc.stop(pc.start('roblox', KID, { agoMs: 10 * MINUTE }));
      pc.advance(3 * SECOND);
      pc.agentDown();
      pc.advance(4 * SECOND);
      const pid = pc.start('roblox', KID);
      pc.advance(awayMs);
      pc.agentUp();
      pc.advance(MINUTE);
      pc.stop(pid);
      pc.advance(MINUTE);
      expect(told(pc).filter((t) => t.startsWith('session_'))).toEqual(['session_started', 'session_ended']);
      expect(sessions(pc, 'session_ended')).toMatchObject([
        {
          session_id: sessions(pc, 'session_started')[0]?.session_id,
          duration_seconds: (11 * MINUTE + awayMs) / SECOND,
        },
      ]);
    }
  });

  it('E1: one that came back too late is another session; one that did not has ended', () => {
    for (const [cameBack, names] of [
      [true, ['session_started', 'session_ended', 'session_started']],
      [false, ['session_started', 'session_ended']],
    ] as const) {
      const pc = machine();
      pc.stop(pc.start('roblox', KID, { agoMs: 10 * MINUTE }));
      pc.advance(3 * SECOND);
      pc.agentDown();
      pc.advance(8 * SECOND);
      if (cameBack) pc.start('roblox', KID);
      pc.agentUp();
      expect(told(pc).filter((t) => t.startsWith('session_'))).toEqual(names);
      expect(sessions(pc, 'session_ended')).toMatchObject([
        { time_end: '2026-01-15T16:00:00.000Z', end_reason: 'exit' },
      ]);
    }
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
