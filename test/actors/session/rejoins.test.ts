/** A game that ends and is back within rejoin_seconds is one play (E1): whatever happens in between meets that play. */
import { describe, expect, it } from 'vitest';
import type { VirtualMachine } from '../../../src/actors/session/virtual-machine.ts';
import type { ProfileConfig } from '../../../src/protocol/config.ts';
import { KID, MINUTE, machine, notifications, order, SECOND, sessions } from './playing.ts';

const ends: readonly [what: string, kid: Partial<ProfileConfig>, happens: (pc: VirtualMachine) => void][] = [
  ['a pause begins', {}, (pc) => order(pc, 'pause', {})],
  ['its window ends', { allowed: { default: ['15:00-16:10'] } }, () => {}],
  ['a day without play begins', { daily_limit_minutes: { thu: 60, fri: 0 } }, () => {}],
];

/** A game that was played for ten minutes less two seconds is left, and `what` happens 3 s later. */
function left([what, kid, happens]: (typeof ends)[number]): VirtualMachine {
  const wall = what.includes('day') ? '2026-01-15T23:50' : '2026-01-15T16:00';
  const pc = machine({ ...kid, grace_seconds: 30 }, { wall });
  const pid = pc.start('roblox', KID);
  pc.advance(10 * MINUTE - 2 * SECOND);
  pc.stop(pid);
  pc.advance(3 * SECOND);
  happens(pc);
  return pc;
}

const upTold = (pc: VirtualMachine) => [
  ...notifications(pc, 'time_limit_exceeded'),
  ...notifications(pc, 'pause'),
];

describe.each(ends)('%s while a game restarts', (...end) => {
  it('E1, T6: it is told when the game is back, which is closed after the grace time', () => {
    const pc = left(end);
    pc.advance(3 * SECOND);
    const pid = pc.start('roblox', KID);
    expect(upTold(pc)).toEqual([expect.stringContaining('It is closed in 30 seconds.')]);
    pc.advance(30 * SECOND - 1);
    expect(pc.isRunning(pid)).toBe(true);
    pc.advance(1);
    expect(pc.isRunning(pid)).toBe(false);
    pc.advance(MINUTE);
    expect(sessions(pc, 'session_started')).toHaveLength(1);
    expect(upTold(pc)).toHaveLength(1);
  });

  it('T6: who quits and comes back over and over gets one grace time', () => {
    const pc = left(end);
    for (let i = 0; i < 5; i++) {
      const pid = pc.start('roblox', KID);
      pc.advance(4 * SECOND);
      expect(pc.isRunning(pid)).toBe(true);
      pc.stop(pid);
      pc.advance(2 * SECOND);
    }
    const pid = pc.start('roblox', KID);
    pc.advance(0);
    expect(pc.isRunning(pid)).toBe(false);
  });

  it('T6: a game that comes back later is another play, and is closed at once', () => {
    const pc = left(end);
    pc.advance(10 * SECOND);
    const pid = pc.start('roblox', KID);
    pc.advance(0);
    expect(pc.isRunning(pid)).toBe(false);
  });
});
