/** Time that is given while a game is being closed: the close is withdrawn, and nobody forces the game. */
import { describe, expect, it } from 'vitest';
import { closes, KID, MINUTE, machine, order, SECOND, sessions } from './playing.ts';

const closing = (kid: object) =>
  machine({ grace_seconds: 0, ...kid }, { options: { closeTakesMs: 15 * SECOND } });
const withdrawn = (pc: ReturnType<typeof machine>) =>
  pc.outputs.flatMap((output) => [...(output.withdrawn ?? [])]);

describe('T6: between the asking and the force', () => {
  it.each([
    ['minutes that a parent gives', { daily_limit_minutes: 20 }, 'extend_time', { minutes: 30 }],
    ['another limit', { daily_limit_minutes: 20 }, 'set_time_limit', { minutes: null }],
  ] as const)('%s withdraw the close: the game plays on', (_, kid, command, parameters) => {
    const pc = closing(kid);
    const pid = pc.start('roblox', KID);
    pc.advance(20 * MINUTE + 5 * SECOND);
    expect(closes(pc)).toHaveLength(1);
    order(pc, command, parameters);
    expect(withdrawn(pc)).toMatchObject([{ pid }]);
    pc.advance(5 * MINUTE);
    expect(pc.isRunning(pid)).toBe(true);
    expect(sessions(pc, 'session_ended')).toEqual([]);
  });

  it('the end of a pause does', () => {
    const pc = closing({ daily_limit_minutes: null });
    const pid = pc.start('roblox', KID);
    order(pc, 'pause', {});
    pc.advance(5 * SECOND);
    expect(closes(pc)).toHaveLength(1);
    order(pc, 'resume', {});
    pc.advance(5 * MINUTE);
    expect(pc.isRunning(pid)).toBe(true);
  });

  it('a configuration without the game does: it is nobody’s to close', () => {
    const pc = closing({ daily_limit_minutes: 20 });
    const pid = pc.start('roblox', KID);
    pc.advance(20 * MINUTE + 5 * SECOND);
    pc.configure({ ...pc.state.config, games: [] });
    expect(withdrawn(pc)).toMatchObject([{ pid }]);
  });

  it('what changes nothing withdraws nothing', () => {
    const pc = closing({ daily_limit_minutes: 20 });
    const pid = pc.start('roblox', KID);
    pc.advance(20 * MINUTE + 5 * SECOND);
    order(pc, 'set_time_limit', { minutes: 10 });
    expect(withdrawn(pc)).toEqual([]);
    pc.advance(15 * SECOND);
    expect(pc.isRunning(pid)).toBe(false);
  });
});
