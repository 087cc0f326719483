/** What a fresh agent finds running that was started while it was away: whether its time was up by then (T6). */
import { describe, expect, it } from 'vitest';
import { closes, KID, MINUTE, machine, notifications, SECOND } from './playing.ts';

/** When each game was closed, from the last moment on, s. */
function closedAfter(pc: ReturnType<typeof machine>, pids: Readonly<Record<string, number>>, s: number) {
  const closed: Record<string, number> = {};
  pc.advance(0);
  for (let at = 0; at <= s; at++) {
    for (const [game, pid] of Object.entries(pids)) if (!pc.isRunning(pid)) closed[game] ??= at;
    pc.advance(SECOND);
  }
  return closed;
}

describe('a game found at the start of the agent', () => {
  it('T6: one that began while time was left has its grace time, though the other used it up since', () => {
    const pc = machine({ daily_limit_minutes: 60, grace_seconds: 30 });
    const roblox = pc.start('roblox', KID);
    pc.advance(50 * MINUTE);
    pc.agentDown();
    pc.advance(2 * MINUTE);
    const minecraft = pc.start('minecraft', KID);
    pc.advance(9 * MINUTE);
    pc.agentUp();
    expect(notifications(pc, 'time_limit_exceeded')).toEqual([
      'No time for Roblox at 17:01: 61 of 60 minutes used today. It is closed in 30 seconds.',
    ]);
    expect(closedAfter(pc, { roblox, minecraft }, 40)).toEqual({ roblox: 30, minecraft: 30 });
  });

  it('T6: one that began before its window closed has its grace time', () => {
    const pc = machine({ allowed: { default: ['15:00-17:00'] }, grace_seconds: 30 });
    pc.agentDown();
    pc.advance(50 * MINUTE);
    const roblox = pc.start('roblox', KID);
    pc.advance(20 * MINUTE);
    pc.agentUp();
    expect(notifications(pc, 'time_limit_exceeded')).toMatchObject([expect.stringContaining('in 30 s')]);
    expect(closedAfter(pc, { roblox }, 40)).toEqual({ roblox: 30 });
  });

  it('T6: one that began after its window closed is closed at once, and the end of the one before it is told', () => {
    const pc = machine({
      allowed: { default: ['15:00-17:00'] },
      daily_limit_minutes: null,
      grace_seconds: 30,
    });
    const roblox = pc.start('roblox', KID);
    pc.advance(50 * MINUTE);
    pc.agentDown();
    pc.advance(12 * MINUTE);
    const minecraft = pc.start('minecraft', KID);
    pc.advance(MINUTE);
    pc.agentUp();
    expect(notifications(pc, 'time_limit_exceeded')).toEqual([
      'No time for minecraft at 17:03: play is not allowed at this time, again on Friday from 15:00. It is closed.',
      'No time for Roblox at 17:03: play is not allowed at this time, again on Friday from 15:00. It is closed in 30 seconds.',
    ]);
    expect(closedAfter(pc, { roblox, minecraft }, 40)).toEqual({ roblox: 30, minecraft: 0 });
  });

  it('T6: one that began before a window opened that is open now is told nothing', () => {
    const pc = machine({ allowed: { default: ['17:00-19:00'] }, grace_seconds: 0 });
    pc.agentDown();
    pc.advance(50 * MINUTE);
    pc.start('roblox', KID);
    pc.advance(20 * MINUTE);
    pc.agentUp();
    pc.advance(MINUTE);
    expect(notifications(pc, 'time_limit_exceeded')).toEqual([]);
    expect(closes(pc)).toEqual([]);
  });
});
