/** A game that ends and is back within rejoin_seconds is one play (E1): whatever happens in between meets that play. */
import { describe, expect, it } from 'vitest';
import { step } from '../../../src/actors/session/behavior.ts';
import type { VirtualMachine } from '../../../src/actors/session/virtual-machine.ts';
import type { ProfileConfig } from '../../../src/protocol/config.ts';
import { HOUR, KID, MINUTE, machine, notifications, order, SECOND, sessions } from './playing.ts';

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

describe('E1: rejoin_seconds go by in sleep too', () => {
  const played = (): VirtualMachine => {
    const pc = machine();
    pc.stop(pc.start('roblox', KID, { agoMs: 10 * MINUTE }));
    return pc;
  };

  it.each([
    ['of 4 s', 2, 2, 'one session', 4],
    ['of 4 s', 2, 5, 'another session', 4],
    ['of a night', 5, 3, 'another session', 10 * 3_600],
  ])(
    'a sleep %s, %i s after it was left and %i s before it is back: %s',
    (_, before, after, which, asleep) => {
      for (const killed of [false, true]) {
        const pc = played();
        pc.advance(before * SECOND);
        pc.suspend(asleep * SECOND);
        if (killed) {
          pc.agentDown();
          pc.agentUp();
        }
        pc.advance(after * SECOND);
        const pid = pc.start('roblox', KID);
        pc.advance(MINUTE);
        pc.stop(pid);
        pc.advance(MINUTE);
        const lengths = sessions(pc, 'session_ended').map((s) => s.duration_seconds);
        expect(lengths).toEqual(which === 'one session' ? [660] : [600, 60]);
      }
    },
  );

  it('what was back before the sleep is in time, though it is heard of only after it', () => {
    const pc = played();
    pc.advance(4 * SECOND);
    const now = pc.reading();
    const woken = { ...now, elapsedMs: now.elapsedMs + 10 * HOUR, wallMs: now.wallMs + 10 * HOUR };
    const named = { name: 'roblox', path: null, command: null, user: KID };
    const process = { pid: 7, startKey: '1:7', game: 'roblox', startedAwakeMs: now.awakeMs, ...named };
    const started = { type: 'process.started', process, child: KID, found: false } as const;
    const [state] = step(pc.state, started, woken, now.awakeMs);
    expect([...state.sessions.values()].map((s) => s.members.length)).toEqual([1]);
    expect([...state.sessions.values()][0]?.id).toBe(sessions(pc, 'session_started')[0]?.session_id);
  });
});
