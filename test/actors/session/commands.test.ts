/** The commands that change time (contract section 7). */
import { describe, expect, it } from 'vitest';
import { initialState } from '../../../src/actors/session/behavior.ts';
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

describe('extend_time', () => {
  it('an extension during the last-minute warning: warnings re-armed, the rest right at once', () => {
    const pc = machine({ daily_limit_minutes: 20 });
    pc.start('roblox', KID);
    pc.advance(19.5 * MINUTE);
    expect(warnings(pc)).toEqual([15, 5, 1]);
    expect(order(pc, 'extend_time', { minutes: 10 }).result).toMatchObject({
      remaining_minutes: 10.5,
      limits: { daily_limit_minutes: 20, extra_minutes: 10 },
    });
    pc.advance(10 * MINUTE);
    expect(warnings(pc)).toEqual([15, 5, 1, 5, 1]);
  });

  it('counts from max(used, limit) on: after overtime the whole extension is left', () => {
    const pc = machine({ daily_limit_minutes: 20, auto_close: false });
    pc.start('roblox', KID);
    pc.advance(30 * MINUTE);
    order(pc, 'extend_time', { minutes: 10 });
    expect(kid(pc).remaining_minutes).toBe(10);
  });

  it('a second extension after the first ran out: adds again', () => {
    const pc = machine({ daily_limit_minutes: 20 });
    const first = pc.start('roblox', KID);
    pc.advance(20 * MINUTE);
    order(pc, 'extend_time', { minutes: 5 });
    pc.advance(5 * MINUTE + 29 * SECOND);
    expect(pc.isRunning(first)).toBe(true);
    pc.advance(SECOND);
    expect(pc.isRunning(first)).toBe(false);
    order(pc, 'extend_time', { minutes: 5 });
    const second = pc.start('roblox', KID);
    pc.advance(5 * MINUTE + 29 * SECOND);
    expect(pc.isRunning(second)).toBe(true);
    pc.advance(SECOND);
    expect(pc.isRunning(second)).toBe(false);
    expect(closes(pc).at(-1)?.why.sentence).toBe(
      'Roblox was closed at 16:31: 31 of 30.5 minutes used today, 10.5 extra minutes included.',
    );
  });

  it('in the grace time it takes the close back', () => {
    const pc = machine({ daily_limit_minutes: 20 });
    const pid = pc.start('roblox', KID);
    pc.advance(20 * MINUTE + 20 * SECOND);
    order(pc, 'extend_time', { minutes: 5 });
    pc.advance(5 * MINUTE);
    expect(pc.isRunning(pid)).toBe(true);
    expect(notifications(pc, 'time_limit_exceeded')).toHaveLength(2);
  });

  it('is for today only', () => {
    const pc = machine({ daily_limit_minutes: 20 });
    order(pc, 'extend_time', { minutes: 60 });
    expect(kid(pc).remaining_minutes).toBe(80);
    pc.advance(9 * HOUR);
    expect(kid(pc)).toMatchObject({ remaining_minutes: 20, limits: { extra_minutes: 0 } });
  });

  it("T4, T5: a window's end that it moved over the day start holds, is warned of, and opens no budget", () => {
    for (const restart of [false, true]) {
      const pc = machine(
        { daily_limit_minutes: 200, allowed: { default: ['15:00-23:50'] } },
        { wall: '2026-01-15T23:40' },
      );
      expect(order(pc, 'extend_time', { minutes: 60 }).result).toMatchObject({
        remaining_minutes: 70,
        limited_by: 'window',
        limits: { window: '15:00-00:50' },
      });
      const pid = pc.start('roblox', KID);
      pc.advance(20 * MINUTE);
      if (restart) {
        pc.agentDown();
        pc.agentUp();
      }
      expect(pc.settle().today).toBe('2026-01-16');
      expect(kid(pc)).toMatchObject({
        remaining_minutes: 50,
        limited_by: 'window',
        limits: { extra_minutes: 0 },
      });
      pc.advance(50 * MINUTE);
      expect(warnings(pc)).toEqual([15, 5, 1]);
      expect(notifications(pc, 'time_limit_exceeded')).toHaveLength(1);
      pc.advance(30 * SECOND);
      expect(pc.isRunning(pid)).toBe(false);
      // Once it is past nothing of it is left, whatever the windows of a later day say.
      pc.advance(24 * HOUR);
      expect(pc.state.children.get(KID)?.record.extra).toBeNull();
    }
  });

  it("T2: a new day's own limit holds within a lifted window end, and another extension adds to that", () => {
    const pc = machine(
      { daily_limit_minutes: 20, allowed: { default: ['15:00-23:50'] } },
      { wall: '2026-01-15T23:40' },
    );
    order(pc, 'extend_time', { minutes: 60 });
    pc.advance(25 * MINUTE);
    expect(kid(pc)).toMatchObject({ remaining_minutes: 20, limited_by: 'day' });
    order(pc, 'extend_time', { minutes: 30 });
    expect(kid(pc)).toMatchObject({
      remaining_minutes: 50,
      limited_by: 'day',
      limits: { extra_minutes: 30 },
    });
    pc.start('roblox', KID);
    pc.advance(46 * MINUTE);
    expect(kid(pc)).toMatchObject({ remaining_minutes: 4, limited_by: 'day' });
    order(pc, 'set_time_limit', { minutes: null });
    expect(kid(pc)).toMatchObject({ remaining_minutes: 29, limited_by: 'window' });
  });

  it("T1: a window's end that it moved lasts as long with the clock set forward before the day start", () => {
    const pc = machine({ allowed: { default: ['15:00-23:50'] } }, { wall: '2026-01-15T23:40' });
    order(pc, 'extend_time', { minutes: 60 });
    pc.stepWall(3 * HOUR);
    pc.advance(30 * MINUTE);
    expect(kid(pc)).toMatchObject({ remaining_minutes: 40, limited_by: 'window' });
  });

  it('lifts week, game and window end as much', () => {
    const pc = machine({
      daily_limit_minutes: 20,
      weekly_limit_minutes: 20,
      allowed: { default: ['15:00-16:20'] },
      games: { roblox: { daily_limit_minutes: 20 } },
    });
    const pid = pc.start('roblox', KID);
    pc.advance(20 * MINUTE);
    order(pc, 'extend_time', { minutes: 30 });
    expect(kid(pc)).toMatchObject({ remaining_minutes: 30 });
    pc.advance(30 * MINUTE);
    expect(pc.isRunning(pid)).toBe(true);
    pc.advance(MINUTE);
    expect(pc.isRunning(pid)).toBe(false);
  });

  it('outside of the window its minutes run from now', () => {
    const pc = machine({ allowed: { default: ['18:00-19:00'] } });
    order(pc, 'extend_time', { minutes: 15 });
    expect(kid(pc)).toMatchObject({ remaining_minutes: 15, limited_by: 'window' });
    pc.advance(15 * MINUTE);
    expect(kid(pc).remaining_minutes).toBe(0);
  });

  it('never lifts a pause', () => {
    const pc = machine();
    order(pc, 'pause', {});
    expect(order(pc, 'extend_time', { minutes: 30 }).result).toMatchObject({
      remaining_minutes: 0,
      limited_by: 'pause',
    });
  });

  it("of one game: another game's budget stays as it is", () => {
    const pc = machine({
      games: { roblox: { daily_limit_minutes: 10 }, minecraft: { daily_limit_minutes: 10 } },
    });
    order(pc, 'extend_time', { minutes: 5, game: 'roblox' });
    pc.start('minecraft', KID);
    pc.advance(4 * MINUTE);
    expect(kid(pc)).toMatchObject({ remaining_minutes: 6, limited_by: 'game' });
  });

  it('of one game without a budget: the minutes it plays on, from max(used, limit) on', () => {
    const pc = machine({ daily_limit_minutes: 60, allowed: { default: ['15:00-16:30'] } });
    expect(order(pc, 'extend_time', { minutes: 30, game: 'roblox' }).result).toMatchObject({
      remaining_minutes: 60,
      limited_by: 'window',
      limits: { extra_minutes: 30, window: '15:00-17:00' },
    });
  });

  it('of one game: its budget, and the day only as far as the minutes need it', () => {
    const pc = machine({ daily_limit_minutes: 60, games: { roblox: { daily_limit_minutes: 20 } } });
    pc.start('roblox', KID);
    pc.advance(20 * MINUTE);
    expect(order(pc, 'extend_time', { minutes: 30, game: 'roblox' }).result).toMatchObject({
      game: 'roblox',
      remaining_minutes: 30,
      limits: { extra_minutes: 0 },
    });
  });
});

describe('set_time_limit', () => {
  it('holds from now on, over days and restarts, until "config"', () => {
    const pc = machine({ daily_limit_minutes: 20 });
    expect(order(pc, 'set_time_limit', { minutes: 45 }).result).toMatchObject({
      remaining_minutes: 45,
      limits: { daily_limit_minutes: 45 },
    });
    pc.agentDown();
    pc.agentUp();
    expect(kid(pc).remaining_minutes).toBe(45);
    pc.advance(24 * HOUR);
    expect(kid(pc).remaining_minutes).toBe(45);
    order(pc, 'set_time_limit', { minutes: 'config' });
    expect(kid(pc).remaining_minutes).toBe(20);
  });

  it('null is no limit; below what was used it closes after the grace time', () => {
    const pc = machine({ daily_limit_minutes: 20 });
    const pid = pc.start('roblox', KID);
    order(pc, 'set_time_limit', { minutes: null });
    expect(kid(pc)).toMatchObject({ remaining_minutes: null, limited_by: null });
    pc.advance(HOUR);
    order(pc, 'set_time_limit', { minutes: 30 });
    expect(notifications(pc, 'time_limit_exceeded')).toHaveLength(1);
    pc.advance(30 * SECOND);
    expect(pc.isRunning(pid)).toBe(false);
  });

  it('a new limit is the last word over extra time; the same limit again changes nothing', () => {
    const pc = machine({ daily_limit_minutes: 20 });
    order(pc, 'extend_time', { minutes: 10 });
    order(pc, 'set_time_limit', { minutes: 20 });
    expect(kid(pc).remaining_minutes).toBe(30);
    order(pc, 'set_time_limit', { minutes: 25 });
    expect(kid(pc).remaining_minutes).toBe(25);
  });

  it('of one game', () => {
    const pc = machine();
    pc.start('roblox', KID);
    order(pc, 'set_time_limit', { minutes: 10, game: 'roblox' });
    expect(kid(pc)).toMatchObject({
      remaining_minutes: 10,
      limited_by: 'game',
      limits: { games: { roblox: { daily_limit_minutes: 10 } } },
    });
  });

  it('an unknown child or game is refused with a reason', () => {
    const pc = machine();
    expect(order(pc, 'set_time_limit', { minutes: 1 }, 'nobody').problem).toMatchObject({
      slug: 'child-unknown',
    });
    expect(order(pc, 'extend_time', { minutes: 1, game: 'doom' }).problem).toMatchObject({
      slug: 'schema-mismatch',
      errors: [{ path: 'parameters.game' }],
    });
  });
});

describe('pause and resume', () => {
  it('a running game is closed after the grace time, whatever auto_close says', () => {
    const pc = machine({ auto_close: false });
    const pid = pc.start('roblox', KID);
    pc.advance(MINUTE);
    expect(order(pc, 'pause', {}).result).toMatchObject({
      paused: true,
      paused_until: null,
      remaining_minutes: 0,
      limited_by: 'pause',
    });
    pc.advance(29 * SECOND);
    expect(pc.isRunning(pid)).toBe(true);
    pc.advance(SECOND);
    expect(pc.isRunning(pid)).toBe(false);
    expect(closes(pc)[0]).toMatchObject({ cause: 'pause' });
    pc.advance(MINUTE);
    expect(sessions(pc, 'session_ended')).toMatchObject([{ end_reason: 'pause' }]);
  });

  it('a start while paused is closed on sight; resume allows play', () => {
    const pc = machine();
    order(pc, 'pause', {});
    const refused = pc.start('roblox', KID);
    pc.advance(0);
    expect(pc.isRunning(refused)).toBe(false);
    order(pc, 'resume', {});
    const allowed = pc.start('roblox', KID);
    pc.advance(HOUR);
    expect(pc.isRunning(allowed)).toBe(true);
  });

  it('for some minutes: over restarts, and over when they are', () => {
    const pc = machine();
    expect(order(pc, 'pause', { minutes: 30 }).result).toMatchObject({
      paused_until: '2026-01-15T16:30:00.000Z',
    });
    pc.agentDown();
    pc.advance(10 * MINUTE);
    pc.agentUp();
    expect(kid(pc)).toMatchObject({ limited_by: 'pause', paused_until: '2026-01-15T16:30:00.000Z' });
    pc.advance(20 * MINUTE);
    expect(kid(pc)).toMatchObject({ limited_by: 'day', paused_until: null, remaining_minutes: 120 });
  });

  it('resumed in the grace time: the game stays, warnings are not repeated', () => {
    const pc = machine({ daily_limit_minutes: 20 });
    const pid = pc.start('roblox', KID);
    pc.advance(16 * MINUTE);
    order(pc, 'pause', {});
    pc.advance(10 * SECOND);
    order(pc, 'resume', {});
    pc.advance(3 * MINUTE);
    expect(pc.isRunning(pid)).toBe(true);
    expect(warnings(pc)).toEqual([15, 5, 1]);
  });

  it('a command and its effects are one output', () => {
    const pc = machine({ daily_limit_minutes: 20 });
    pc.start('roblox', KID);
    pc.advance(10 * MINUTE);
    order(pc, 'set_time_limit', { minutes: 5 });
    const output = pc.outputs.at(-1);
    expect(output?.command?.result).toMatchObject({ remaining_minutes: 0 });
    expect(output?.events).toHaveLength(1);
    expect(told(pc).at(-1)).toBe('notification time_limit_exceeded');
  });
});

describe('a command that comes again', () => {
  const extend = {
    command: 'extend_time',
    command_id: 'again',
    child_profile: KID,
    parameters: { minutes: 15 },
  } as const;
  const extraMinutes = (pc: ReturnType<typeof machine>) => kid(pc).limits.extra_minutes;

  it('K2: has no second effect, and is written and answered once more', () => {
    const pc = machine();
    pc.command(extend);
    pc.command({ ...extend, command_id: 'another' });
    expect(pc.command(extend).result).toMatchObject({ limits: { extra_minutes: 30 } });
    expect(extraMinutes(pc)).toBe(30);
    const output = pc.outputs.at(-1);
    expect(output?.command?.commandId).toBe('again');
    expect(output?.ledger.state).toHaveProperty(`child ${KID}`);
  });

  it('K2: nor after a restart: what the ledger has is remembered', () => {
    const pc = machine();
    pc.command(extend);
    pc.agentDown();
    pc.agentUp();
    pc.command(extend);
    expect(extraMinutes(pc)).toBe(15);
  });

  it('K2: what died with its output was never done, and is done now', () => {
    const pc = machine();
    const before = pc.state;
    pc.command(extend);
    pc.state = before;
    pc.command(extend);
    expect(extraMinutes(pc)).toBe(15);
  });

  it('K2: an id is free again long before the 30 days are over', () => {
    const pc = machine();
    pc.command({ ...extend, command: 'pause', parameters: {} });
    pc.advance(25 * HOUR);
    pc.command({ ...extend, command: 'resume', parameters: {} });
    expect(kid(pc).limited_by).toBe('day');
  });

  it('a damaged memory of commands does not keep the actor from starting', () => {
    const pc = machine();
    pc.command(extend);
    const ledger = pc.ledger();
    for (const commands of ['x', [null, 7, { id: 'again' }], {}]) {
      const state = initialState(
        { config: config(), ledger: { ...ledger, state: { ...ledger.state, commands } } },
        pc.reading(),
      );
      expect(state.commands).toEqual([]);
    }
  });
});
