/** A crowd of game processes (T6, T7, D10): what one of them costs does not depend on how many there are. */
import { describe, expect, test } from 'vitest';
import { restore } from '../../../src/actors/session/restore.ts';
import { config, KID, kid, machine, SECOND, sessions } from './playing.ts';

type Pc = ReturnType<typeof machine>;

const CROWD = 400;
const FIRST = 10_000;

function crowded(kidRules = {}, options = {}): Pc {
  const pc = machine(kidRules, { options });
  for (let i = 0; i < CROWD; i++) pc.start('roblox', KID, { pid: FIRST + i, obedience: 'denied' });
  return pc;
}

const membersIn = (state: Readonly<Record<string, unknown>> | undefined) =>
  Object.entries(state ?? {}).filter(([key]) => key.startsWith('member '));
const lastWritten = (pc: Pc) => membersIn(pc.outputs.at(-1)?.ledger.state);
const freshOn = (pc: Pc) => [
  ...restore({ config: pc.state.config, ledger: pc.ledger() }, pc.reading()).sessions.values(),
];

describe('T7: each process of a session stands in a record of its own', () => {
  test('a start writes one of them, and as much as the first one did', () => {
    const pc = crowded();
    const bytes = pc.outputs.map(({ ledger }) => JSON.stringify(ledger).length);
    expect(lastWritten(pc)).toMatchObject([
      [expect.stringContaining(` ${FIRST + CROWD - 1} `), { name: 'roblox' }],
    ]);
    expect(Math.max(...bytes)).toBeLessThan(2 * (bytes[0] ?? 0));
  });

  test('a stop takes one away, wherever it stands', () => {
    const pc = crowded();
    for (const pid of [FIRST, FIRST + CROWD / 2, FIRST + CROWD - 1]) {
      pc.stop(pid);
      expect(lastWritten(pc)).toEqual([[expect.stringContaining(` ${pid} `), null]]);
    }
    expect(freshOn(pc)).toMatchObject([{ members: { length: CROWD - 3 } }]);
  });

  test('a fresh actor has them all, in the same session', () => {
    const pc = crowded();
    const [live] = [...pc.state.sessions.values()];
    pc.agentDown();
    pc.agentUp();
    expect([...pc.state.sessions.values()]).toMatchObject([{ id: live?.id, members: live?.members }]);
    expect(sessions(pc, 'session_started')).toHaveLength(1);
  });

  test('what changes of some of them is written for these: closes that were ordered', () => {
    const pc = crowded({ daily_limit_minutes: 0, grace_seconds: 0 }, { closeTakesMs: 60 * SECOND });
    expect(lastWritten(pc)).toMatchObject([
      [expect.stringContaining(` ${FIRST + CROWD - 1} `), { order: { attempts: 1 } }],
    ]);
    const [fresh] = freshOn(pc);
    const [live] = pc.state.sessions.values();
    expect(fresh?.kept).toEqual(live?.members);
  });

  test('none is left behind when the session ends: by itself, or as nobody is configured for it', () => {
    const pc = crowded();
    for (let i = 0; i < CROWD; i++) pc.stop(FIRST + i);
    pc.advance(20 * SECOND);
    expect(membersIn(pc.ledger().state)).toEqual([]);
    const other = crowded();
    other.configure(config({}, { games: ['minecraft'] }));
    expect(sessions(other, 'session_ended')).toHaveLength(1);
    expect(membersIn(other.ledger().state)).toEqual([]);
    expect(kid(other).playing).toBe(false);
  });
});
