/** A pause and a limit that are up after each other: what is told, and whose grace time runs (T6). */
import { describe, expect, it } from 'vitest';
import { closes, KID, MINUTE, machine, notifications, order, SECOND, sessions } from './playing.ts';

describe('a pause beside a limit (T6)', () => {
  it('T6: a limit that ran out under a pause is told when the pause is over, and has its own grace time', () => {
    const pc = machine({ daily_limit_minutes: 10, grace_seconds: 300 });
    const pid = pc.start('roblox', KID);
    pc.advance(8 * MINUTE);
    order(pc, 'pause', { minutes: 4 });
    pc.advance(4 * MINUTE - SECOND);
    expect(notifications(pc, 'time_limit_exceeded')).toEqual([]);
    pc.advance(SECOND);
    expect(notifications(pc, 'time_limit_exceeded')).toEqual([
      'No time for Roblox at 16:12: 12 of 10 minutes used today. It is closed in 5 minutes.',
    ]);
    pc.agentDown();
    pc.agentUp();
    pc.advance(5 * MINUTE - SECOND);
    expect(pc.isRunning(pid)).toBe(true);
    pc.advance(SECOND);
    expect(pc.isRunning(pid)).toBe(false);
    expect(notifications(pc, 'time_limit_exceeded')).toHaveLength(1);
    expect(closes(pc).map((c) => c.cause)).toEqual(['day']);
  });

  it('T6: a pause that began after another was over is told, and has its own grace time', () => {
    const pc = machine({ grace_seconds: 20 });
    const pid = pc.start('roblox', KID);
    pc.advance(SECOND);
    order(pc, 'pause', { minutes: 0.05 });
    pc.advance(12 * SECOND);
    order(pc, 'pause', {});
    expect(notifications(pc, 'pause')).toHaveLength(2);
    pc.advance(20 * SECOND - 1);
    expect(pc.isRunning(pid)).toBe(true);
    pc.advance(1);
    expect(pc.isRunning(pid)).toBe(false);
  });

  it('T6: a time that is up and not closed is told the moment the pause before it is over', () => {
    const pc = machine({ allowed: { default: ['09:00-10:00'] }, auto_close: false });
    pc.advance(3 * SECOND);
    pc.start('roblox', KID, { obedience: 'denied' });
    pc.advance(2 * MINUTE);
    order(pc, 'pause', { minutes: 0.2 });
    pc.advance(12 * SECOND);
    expect(notifications(pc, 'time_limit_exceeded')).toHaveLength(2);
  });

  it('T6: a pause after the limit is told too; where only a pause closes, it closes after the grace time', () => {
    for (const auto_close of [true, false]) {
      const pc = machine({ daily_limit_minutes: 10, grace_seconds: 60, auto_close });
      const pid = pc.start('roblox', KID);
      pc.advance(10 * MINUTE + 20 * SECOND);
      order(pc, 'pause', {});
      expect(notifications(pc, 'pause')).toEqual([
        `No time for Roblox at 16:10: play is paused until a parent resumes it. It is closed in ${
          auto_close ? '40 seconds' : '1 minute'
        }.`,
      ]);
      pc.advance((auto_close ? 40 : 60) * SECOND - 1);
      expect(pc.isRunning(pid)).toBe(true);
      pc.advance(1);
      expect(pc.isRunning(pid)).toBe(false);
    }
  });

  it('T6: a pause in the grace time of a limit does not prolong it, over a restart of the agent neither', () => {
    const pc = machine({ daily_limit_minutes: 10, grace_seconds: 60 });
    const pid = pc.start('roblox', KID);
    pc.advance(10 * MINUTE + 10 * SECOND);
    order(pc, 'pause', { minutes: 0.5 });
    pc.advance(20 * SECOND);
    pc.agentDown();
    pc.agentUp();
    pc.advance(30 * SECOND - 1);
    expect(pc.isRunning(pid)).toBe(true);
    pc.advance(1);
    expect(pc.isRunning(pid)).toBe(false);
    expect(notifications(pc, 'time_limit_exceeded')).toHaveLength(1);
  });

  it('T6: minutes given in such a pause and used up before its end: that is another end, with its own grace time', () => {
    const pc = machine({ daily_limit_minutes: 10, grace_seconds: 300 });
    const pid = pc.start('roblox', KID);
    pc.advance(10 * MINUTE + 10 * SECOND);
    order(pc, 'pause', { minutes: 2 });
    pc.advance(10 * SECOND);
    order(pc, 'extend_time', { minutes: 1 });
    pc.advance(MINUTE + 50 * SECOND);
    expect(notifications(pc, 'time_limit_exceeded').at(-1)).toContain('It is closed in 5 minutes.');
    pc.advance(5 * MINUTE - 1);
    expect(pc.isRunning(pid)).toBe(true);
    pc.advance(1);
    expect(pc.isRunning(pid)).toBe(false);
  });

  it('T6: a pause taken back where a limit does not close: the game stays, and its end is its own', () => {
    const pc = machine({ daily_limit_minutes: 10, auto_close: false });
    const pid = pc.start('roblox', KID, { obedience: 'denied' });
    pc.advance(11 * MINUTE);
    order(pc, 'pause', {});
    pc.advance(MINUTE);
    order(pc, 'resume', {});
    const before = closes(pc).length;
    pc.advance(10 * MINUTE);
    expect(closes(pc)).toHaveLength(before);
    pc.stop(pid);
    pc.advance(MINUTE);
    expect(sessions(pc, 'session_ended')).toMatchObject([{ end_reason: 'exit' }]);
  });

  it('T6: what a pause was to close already gets no grace time from the limit after it', () => {
    const pc = machine({ daily_limit_minutes: 10, grace_seconds: 60 });
    pc.start('roblox', KID, { obedience: 'denied' });
    pc.advance(9 * MINUTE);
    order(pc, 'pause', { minutes: 4 });
    pc.advance(4 * MINUTE);
    expect(notifications(pc, 'time_limit_exceeded')).toHaveLength(1);
    const before = closes(pc).length;
    pc.advance(31 * SECOND);
    expect(closes(pc).length).toBeGreaterThan(before);
  });

  it('T6: from one limit to the next the grace time goes on, and is told once', () => {
    const pc = machine({
      daily_limit_minutes: 10.5,
      games: { roblox: { daily_limit_minutes: 10 } },
      grace_seconds: 60,
    });
    const pid = pc.start('roblox', KID);
    pc.advance(11 * MINUTE);
    expect(pc.isRunning(pid)).toBe(false);
    expect(closes(pc).map((c) => c.cause)).toEqual(['day']);
    expect(notifications(pc, 'time_limit_exceeded')).toHaveLength(1);
  });

  it('T6: a pause and its end over and over are told once a minute at most', () => {
    const pc = machine({ daily_limit_minutes: 10, grace_seconds: 600 });
    pc.start('roblox', KID);
    pc.advance(11 * MINUTE);
    for (let i = 0; i < 6; i++) {
      order(pc, 'pause', {});
      pc.advance(4 * SECOND);
      order(pc, 'resume', {});
      pc.advance(4 * SECOND);
    }
    expect(notifications(pc, 'pause')).toHaveLength(1);
    expect(notifications(pc, 'time_limit_exceeded')).toHaveLength(2);
  });
});
