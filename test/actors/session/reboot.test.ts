/** The machine was off and on again: no process survives, and nothing of the other boot's clock means anything (E1, E4, T7). */
import { describe, expect, it } from 'vitest';
import { initialState, step } from '../../../src/actors/session/behavior.ts';
import { config, KID, kid, MINUTE, machine, SECOND, sessions, short } from './playing.ts';

describe('a reboot', () => {
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

  it('E4: a session that a reboot ended is told with the first snapshot, after main has told the stops', () => {
    const pc = machine();
    pc.start('roblox', KID);
    pc.advance(10 * MINUTE);
    const init = { config: config({}, { sessions: { rejoin_seconds: 3_600 } }), ledger: pc.ledger() };
    const now = { ...pc.reading(), awakeMs: SECOND, elapsedMs: SECOND, bootId: 'boot-2' };
    const [waiting, effects] = step(initialState(init, now), { type: 'tick' }, now);
    expect(effects).toMatchObject([{ events: [] }]);
    // What is written in between is a ledger like any other: the agent may die once more before it knows what runs.
    const [first] = effects.flatMap((e) => (e.type === 'session.output' ? [e.ledger] : []));
    const state = JSON.parse(JSON.stringify({ ...init.ledger.state, ...first?.state }));
    const again = initialState({ ...init, ledger: { usage: init.ledger.usage, state } }, now);
    for (const before of [waiting, again]) {
      const [after, said] = step(before, { type: 'processes.snapshot', processes: [] }, now);
      expect(after.sessions.size).toBe(0);
      const events = said.flatMap((e) => (e.type === 'session.output' ? e.events : []));
      expect(events.map(short)).toEqual([
        'session_ended',
        'notification session_end',
        'firebase_sync_request',
      ]);
      expect(events[0]).toMatchObject({
        data: { session_data: { time_end: '2026-01-15T16:10:00.000Z', end_reason: 'machine_restart' } },
      });
    }
  });

  it('E1: no game of the new boot goes on with a session of the one before', () => {
    const pc = machine();
    pc.start('roblox', KID);
    pc.advance(10 * MINUTE);
    const init = { config: config(), ledger: pc.ledger() };
    const now = { ...pc.reading(), bootId: 'boot-2' };
    const [waiting] = step(initialState(init, now), { type: 'tick' }, now);
    const process = {
      pid: 7,
      startKey: 'boot-2:1',
      game: 'roblox',
      name: 'roblox',
      path: null,
      command: null,
      user: KID,
      startedAwakeMs: now.awakeMs - SECOND,
    };
    const [, said] = step(waiting, { type: 'processes.snapshot', processes: [{ process, child: KID }] }, now);
    const events = said.flatMap((e) => (e.type === 'session.output' ? e.events : []));
    expect(events.map(short).filter((name) => name.startsWith('session_'))).toEqual([
      'session_ended',
      'session_started',
    ]);
  });

  it('T7: what was charged in another boot is forgotten in the ledger too, with nobody playing', () => {
    const pc = machine();
    pc.stop(pc.start('roblox', KID, { agoMs: 10 * MINUTE }));
    pc.advance(MINUTE);
    const booted = { ...pc.reading(), bootId: 'boot-2' };
    const [, effects] = step(
      initialState({ config: config(), ledger: pc.ledger() }, booted),
      { type: 'tick' },
      booted,
    );
    const [ledger] = effects.flatMap((e) => (e.type === 'session.output' ? [e.ledger] : []));
    expect(ledger?.state).toMatchObject({
      clock: { reading: { bootId: 'boot-2' } },
      [`child ${KID}`]: { covered: {}, told: {} },
    });
  });
});
