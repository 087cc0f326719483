/** Warnings of a time that goes by while nobody plays (T4): a window, and minutes given outside of it. */
import { describe, expect, it } from 'vitest';
import { HOUR, KID, MINUTE, machine, order, warnings } from './playing.ts';

describe('T4: a time that runs out by itself', () => {
  it.each(['on', 'off'] as const)(
    'each window is warned of, also when its game starts near the end; the PC was %s between the two',
    (between) => {
      const pc = machine({ allowed: { default: ['08:00-16:10', '18:00-20:00'] }, grace_seconds: 0 });
      pc.start('roblox', KID);
      pc.advance(10 * MINUTE);
      expect(warnings(pc)).toEqual([15, 5, 1]);
      if (between === 'off') pc.reboot(3 * HOUR + 46 * MINUTE);
      else pc.advance(3 * HOUR + 46 * MINUTE);
      pc.start('roblox', KID);
      expect(warnings(pc)).toEqual([15, 5, 1, 5]);
      pc.advance(4 * MINUTE);
      expect(warnings(pc)).toEqual([15, 5, 1, 5, 1]);
    },
  );

  it('T7: what a window armed again as it opened is kept: a restart of the agent in it swallows no warning', () => {
    const pc = machine({ allowed: { default: ['18:00-19:00'] }, grace_seconds: 0 });
    pc.start('roblox', KID);
    pc.advance(2 * HOUR + 55 * MINUTE + 30_000);
    pc.agentDown();
    pc.agentUp();
    pc.advance(80_000);
    pc.start('roblox', KID);
    expect(warnings(pc)).toEqual([5]);
    pc.advance(3 * MINUTE);
    expect(warnings(pc)).toEqual([5, 1]);
  });

  it('a game that ran on until its window opened is warned of its end', () => {
    const pc = machine(
      { allowed: { default: ['18:00-18:01'] }, warn_minutes: [0.75], auto_close: false },
      { wall: '2026-01-15T17:58:48' },
    );
    pc.start('roblox', KID);
    pc.advance(2 * MINUTE);
    expect(warnings(pc)).toEqual([0.75]);
  });

  it('minutes given outside of a window are warned of, also when the game starts later', () => {
    const pc = machine({ allowed: { default: ['08:00-16:10'] }, grace_seconds: 0 });
    pc.start('roblox', KID);
    pc.advance(HOUR);
    order(pc, 'extend_time', { minutes: 10 });
    pc.advance(6 * MINUTE);
    pc.start('roblox', KID);
    expect(warnings(pc)).toEqual([15, 5, 1, 5]);
  });

  it.each(['on', 'off'] as const)(
    'within one window nothing is armed again; the PC was %s between',
    (between) => {
      const pc = machine({ allowed: { default: ['08:00-16:10'] } });
      const pid = pc.start('roblox', KID);
      pc.advance(6 * MINUTE);
      pc.stop(pid);
      if (between === 'off') pc.reboot(MINUTE);
      else pc.advance(MINUTE);
      pc.start('roblox', KID);
      expect(warnings(pc)).toEqual([15, 5]);
    },
  );

  it('a new window arms nothing of a day that is as used up as before', () => {
    const pc = machine({ daily_limit_minutes: 20, allowed: { default: ['08:00-17:00', '18:00-20:00'] } });
    const pid = pc.start('roblox', KID);
    pc.advance(16 * MINUTE);
    pc.stop(pid);
    pc.advance(3 * HOUR);
    pc.start('roblox', KID);
    expect(warnings(pc)).toEqual([15, 5]);
  });

  it.each(['ends by itself', 'is ended'] as const)(
    'a pause over the opening of a window, which %s, swallows no warning of it',
    (end) => {
      const pc = machine({ allowed: { default: ['15:00-16:10', '18:00-19:00'] }, grace_seconds: 0 });
      pc.start('roblox', KID);
      pc.advance(90 * MINUTE);
      order(pc, 'pause', end === 'is ended' ? {} : { minutes: 85 });
      pc.advance(85 * MINUTE + 30_000);
      if (end === 'is ended') order(pc, 'resume', {});
      pc.start('roblox', KID);
      expect(warnings(pc)).toEqual([15, 5, 1, 5]);
      pc.advance(4 * MINUTE);
      expect(warnings(pc)).toEqual([15, 5, 1, 5, 1]);
    },
  );

  it('minutes given in a pause are warned of, also when they ran out outside of the window while it went on', () => {
    const pc = machine({
      daily_limit_minutes: null,
      allowed: { default: ['08:00-16:10'] },
      grace_seconds: 0,
    });
    pc.start('roblox', KID);
    pc.advance(30 * MINUTE);
    order(pc, 'pause', {});
    order(pc, 'extend_time', { minutes: 20 });
    pc.advance(16 * MINUTE);
    order(pc, 'resume', {});
    pc.start('roblox', KID);
    expect(warnings(pc)).toEqual([15, 5, 1, 5]);
    pc.advance(3.5 * MINUTE);
    expect(warnings(pc)).toEqual([15, 5, 1, 5, 1]);
  });
});
