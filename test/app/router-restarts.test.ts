/** What the router keeps right when the session actor, the scanner or the agent goes while something ends (E1, E4, T7). */
import { describe, expect, test } from 'vitest';
import { type Config, DEFAULT_CONFIG } from '../../src/protocol/config.ts';
import type { GameProcess } from '../../src/protocol/messages.ts';
import { identity, player, setUp, toldRow, tookIn } from './router-bench.ts';

const snapshot = (...processes: GameProcess[]) =>
  ({ type: 'processes.snapshot', processes, source: 'procfs' }) as const;
const starts = (pid: number) => ({ type: 'process.started', process: player(pid), found: false }) as const;
const stops = (pid: number, endedAwakeMs: number | null) =>
  ({ type: 'process.stopped', identity: identity(pid), endedAwakeMs, how: 'exit' }) as const;
const ours = (pid: number) => toldRow(pid, { bootId: 'boot' });
const took = (pid: number) => ({ ...tookIn(pid), stopped: [identity(pid)] });

function owned(child: 'one' | 'other'): Config {
  const profile = DEFAULT_CONFIG.profiles.default_child!;
  const of = (name: string) => ({ ...profile, os_users: name === child ? ['kim'] : [] });
  return { ...DEFAULT_CONFIG, profiles: { one: of('one'), other: of('other') } };
}

describe('a stop that waits for the start of its session', () => {
  test('E1: is told with its own moment, though a fresh scanner finds the game gone before', () => {
    const { router, events, kinds } = setUp();
    router.fromScanner(snapshot());
    router.fromScanner(starts(7));
    router.fromScanner(stops(7, 999_500));
    router.fromScanner(snapshot());
    router.fromSession(tookIn(7));
    expect(kinds()).toEqual(['roblox_started', 'agent_recovered', 'roblox_stopped']);
    expect(events()[2].data.process_info.ended_at).not.toBeNull();
  });

  test('E1: is heard by the session actor in its turn, before what starts after it', () => {
    const { router, toSession } = setUp();
    router.fromScanner(snapshot());
    for (const message of [starts(7), stops(7, 999_500), starts(8)]) router.fromScanner(message);
    expect(toSession.slice(1).map((m) => m.type)).toEqual([
      'process.started',
      'process.stopped',
      'process.started',
    ]);
  });

  test('E4: so does one that only a fresh scanner finds', () => {
    const { router, kinds } = setUp();
    router.fromScanner(snapshot());
    router.fromScanner(starts(7));
    router.fromScanner(snapshot());
    expect(kinds()).toEqual(['roblox_started']);
    router.fromSession(tookIn(7));
    expect(kinds()).toEqual(['roblox_started', 'agent_recovered', 'roblox_stopped']);
  });
});

describe('T7: the agent restarts before the session actor has heard', () => {
  test('a stop that was told is heard by the session actor of the next run, with its own moment, whenever the agent was killed', () => {
    const first = setUp([ours(7)]);
    first.router.fromScanner(snapshot(player(7)));
    first.router.fromSession(tookIn(7));
    first.router.fromScanner(stops(7, 999_500));
    const next = setUp([...first.rows.values()]);
    next.router.fromScanner(snapshot());
    expect(next.toSession).toMatchObject([
      { type: 'process.played', process: { pid: 7 }, endedAwakeMs: 999_500 },
      { type: 'processes.snapshot' },
    ]);
    next.router.fromSession(took(7));
    expect([...next.rows]).toEqual([]);
  });

  test('and so is one whose process was told anew since: both are kept', () => {
    const { router, running, ended } = setUp([ours(7)]);
    router.fromScanner(snapshot(player(7)));
    router.fromSession(tookIn(7));
    for (const message of [stops(7, 999_500), starts(7)]) router.fromScanner(message);
    expect([running(), ended()]).toMatchObject([
      [{ process: { pid: 7 } }],
      [{ process: { pid: 7 }, endedAwakeMs: 999_500 }],
    ]);
    router.fromSession(took(7));
    expect([running().length, ended()]).toEqual([1, []]);
  });

  test('one that only the next run finds gone is heard before those of its session that began later', () => {
    const later = { ...ours(8), process: player(8, { startedAwakeMs: 999_400 }) };
    const first = setUp([ours(7), later]);
    first.router.fromScanner(snapshot(player(7), player(8, { startedAwakeMs: 999_400 })));
    for (const pid of [7, 8]) first.router.fromSession(tookIn(pid));
    first.router.fromScanner(stops(8, 999_500));
    const next = setUp([...first.rows.values()]);
    next.router.greetSession();
    next.router.fromScanner(snapshot());
    expect(next.toSession).toMatchObject([
      { type: 'process.played', process: { pid: 7 }, endedAwakeMs: null },
      { type: 'process.played', process: { pid: 8 }, endedAwakeMs: 999_500 },
      { type: 'processes.snapshot' },
    ]);
  });

  test('one that only the next run finds at all is heard before those of its session that began later', () => {
    const first = setUp([ours(7)]);
    first.router.fromScanner(snapshot(player(7)));
    first.router.fromSession(tookIn(7));
    first.router.fromScanner(stops(7, 999_500));
    const next = setUp([...first.rows.values()]);
    next.router.fromScanner(snapshot(player(9, { startedAwakeMs: 998_000 })));
    expect(next.toSession).toMatchObject([
      { type: 'process.started', process: { pid: 9 } },
      { type: 'process.played', process: { pid: 7 } },
      { type: 'processes.snapshot' },
    ]);
    expect(next.kinds()).toEqual(['roblox_started']);
  });

  test('that of another boot is forgotten: its moment means nothing', () => {
    const ended = { ...toldRow(7), endedAwakeMs: 5, bootId: 'before' };
    const { router, toSession, rows } = setUp([ended]);
    router.fromScanner(snapshot());
    expect([toSession.map((m) => m.type), [...rows]]).toEqual([['processes.snapshot'], []]);
  });

  test('a game that is gone at the start is a play, since not even its start may have been heard', () => {
    const { router, toSession, kinds } = setUp([ours(7)]);
    router.fromScanner(snapshot());
    expect(toSession[0]).toMatchObject({
      type: 'process.played',
      process: { pid: 7 },
      endedAwakeMs: null,
    });
    expect(kinds()).toEqual([]);
    router.fromSession(took(7));
    expect(kinds()).toEqual(['agent_recovered', 'roblox_stopped']);
  });

  test('C7: what a reload had told as stopped and not yet as started is charged to the other child from now on only', () => {
    let config = owned('one');
    const first = setUp([toldRow(7, { child: 'one' })], 'closed', () => config);
    first.router.fromScanner(snapshot(player(7)));
    config = owned('other');
    first.router.releaseMoved();
    const next = setUp([...first.rows.values()], 'closed', () => config);
    next.clock.sleep(60_000);
    next.router.fromScanner(snapshot(player(7)));
    expect(next.kinds()).toEqual(['roblox_started']);
    expect(next.toSession.at(-1)).toMatchObject({
      processes: [{ child: 'other', process: { startedAwakeMs: next.clock.monotonic() } }],
    });
  });
});

test('E1: a game that ended while a reload gave it to another child is told as stopped for that one too', () => {
  let config = owned('one');
  const { router, kinds, toSession } = setUp([], 'closed', () => config);
  router.fromScanner(snapshot());
  router.fromScanner(starts(7));
  config = owned('other');
  router.releaseMoved();
  router.takeMoved();
  router.fromScanner(snapshot());
  for (let i = 0; i < 2; i++) router.fromSession(tookIn(7));
  const told = kinds().filter((kind) => kind.startsWith('roblox'));
  expect(told).toEqual(['roblox_started', 'roblox_stopped', 'roblox_started', 'roblox_stopped']);
  router.greetSession();
  expect(toSession.at(-1)).toMatchObject({ type: 'processes.snapshot', processes: [] });
});

test('E1: a play that is over is heard of after one of the same session that began before it and runs on', () => {
  const { router, toSession } = setUp();
  router.fromScanner(snapshot(player(7, { startedAwakeMs: 100 }), player(8, { startedAwakeMs: 200 })));
  router.fromScanner(stops(8, 300));
  toSession.length = 0;
  router.greetSession();
  expect(toSession).toMatchObject([
    { type: 'process.started', process: { pid: 7 } },
    { type: 'process.played', process: { pid: 8 } },
    { type: 'processes.snapshot', processes: [{ process: { pid: 7 } }] },
  ]);
});

test('E1: the session actor is told that nobody looks, and its next life too, until a scanner has looked', () => {
  const { router, toSession } = setUp();
  router.fromScanner(snapshot());
  router.scannerGone();
  router.greetSession();
  router.fromScanner(snapshot());
  expect(toSession).toMatchObject([
    { type: 'processes.snapshot' },
    { type: 'scan.unknown' },
    { type: 'processes.snapshot', blind: true },
    { type: 'processes.snapshot' },
  ]);
  expect(toSession.at(-1)).not.toHaveProperty('blind');
});
