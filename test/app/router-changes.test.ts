/** The router when what runs changes under it: another program and back, another child, a close that is over. */
import { describe, expect, test } from 'vitest';
import { type Config, DEFAULT_CONFIG } from '../../src/protocol/config.ts';
import { closeOrder, identity, player, setUp, toldRow, tookIn } from './router-bench.ts';

describe('E1: a process that executes another program and then the game again', () => {
  const stop = {
    type: 'process.stopped',
    identity: identity(7),
    endedAwakeMs: 999_500,
    how: 'exec',
  } as const;
  const start = { type: 'process.started', process: player(7), found: false } as const;

  test('before the session actor took its first start in: it is told as stopped and started again, and its end too', () => {
    const { router, kinds, running, toSession } = setUp();
    router.fromScanner({ type: 'processes.snapshot', processes: [], source: 'procfs' });
    toSession.length = 0;
    for (const message of [start, stop, start]) router.fromScanner(message);
    expect(kinds()).toEqual(['roblox_started']);
    router.fromSession(tookIn(7));
    expect(kinds()).toEqual(['roblox_started', 'agent_recovered', 'roblox_stopped', 'roblox_started']);
    expect(toSession.map((m) => m.type)).toEqual(['process.started', 'process.stopped', 'process.started']);
    expect(running().map(({ process }) => process.pid)).toEqual([7]);
    router.fromScanner(stop);
    expect(kinds()).toHaveLength(4);
    router.fromSession(tookIn(7));
    expect(kinds().at(-1)).toBe('roblox_stopped');
    expect(running()).toEqual([]);
  });

  test('several times in a row: each is told, in its order, and nothing waits for ever', () => {
    const { router, kinds, clock, running } = setUp();
    const idle = clock.pendingTimers;
    for (const message of [start, stop, start, stop, start]) router.fromScanner(message);
    clock.advance(10_000);
    clock.advance(0);
    expect(kinds()).toEqual([
      'roblox_started',
      'roblox_stopped',
      'roblox_started',
      'roblox_stopped',
      'roblox_started',
    ]);
    expect(running().map(({ process }) => process.pid)).toEqual([7]);
    expect(clock.pendingTimers).toBe(idle);
  });
});

describe('C4 C7: a configuration under which what runs belongs to another child', () => {
  const profiles = (child: string): Config => ({
    ...DEFAULT_CONFIG,
    profiles: { [child]: DEFAULT_CONFIG.profiles.default_child! },
  });

  test('at a reload it is told as stopped for the one and as started for the other, charged from now on', () => {
    let config = profiles('default_child');
    const { router, events, toSession, clock } = setUp([toldRow(7)], 'closed', () => config);
    router.fromScanner({ type: 'processes.snapshot', processes: [player(7)], source: 'procfs' });
    toSession.length = 0;
    config = profiles('kim');
    router.releaseMoved();
    expect(events().map((e) => [e.event_type, e.data.child_profile])).toEqual([
      ['roblox_stopped', 'default_child'],
    ]);
    clock.advance(50);
    router.takeMoved();
    expect(events()[1]).toMatchObject({
      event_type: 'roblox_started',
      data: { child_profile: 'kim', process_info: { found: true, started_at: '2026-01-15T15:00:00.000Z' } },
    });
    const now = clock.monotonic();
    expect(toSession).toMatchObject([
      { type: 'process.stopped', identity: identity(7), endedAwakeMs: now - 50, by: 'config' },
      { type: 'process.started', child: 'kim', process: { startedAwakeMs: now } },
      { type: 'processes.snapshot', processes: [{ child: 'kim' }] },
    ]);
  });

  test('a process that a reload makes another game, or none, ends the session for the configuration', () => {
    const { router, kinds, toSession } = setUp([toldRow(7)]);
    router.fromScanner({ type: 'processes.snapshot', processes: [player(7)], source: 'procfs' });
    toSession.length = 0;
    const stop = { type: 'process.stopped', identity: identity(7), endedAwakeMs: 999_900 } as const;
    router.fromScanner({ ...stop, how: 'config' });
    const chess = player(7, { game: 'chess' });
    router.fromScanner({ type: 'process.started', process: chess, found: true });
    expect(kinds()).toEqual(['roblox_stopped', 'game_started']);
    expect(toSession).toMatchObject([
      { type: 'process.stopped', endedAwakeMs: 999_900, by: 'config' },
      { type: 'process.started', process: { game: 'chess' } },
    ]);
  });

  test('one that ends in between is not started again', () => {
    let config = profiles('default_child');
    const { router, kinds, running } = setUp([toldRow(7)], 'closed', () => config);
    config = profiles('kim');
    router.releaseMoved();
    router.fromScanner({
      type: 'process.stopped',
      identity: identity(7),
      endedAwakeMs: 999_900,
      how: 'exit',
    });
    router.takeMoved();
    expect(kinds()).toEqual(['roblox_stopped']);
    expect(running()).toEqual([]);
  });

  test('a scanner that starts again in between has said what runs: nothing is told twice', () => {
    let config = profiles('default_child');
    const { router, kinds } = setUp([toldRow(7)], 'closed', () => config);
    const snapshot = { type: 'processes.snapshot', processes: [player(7)], source: 'procfs' } as const;
    router.fromScanner(snapshot);
    config = profiles('kim');
    router.releaseMoved();
    router.fromScanner(snapshot);
    router.takeMoved();
    expect(kinds()).toEqual(['roblox_stopped', 'roblox_started']);
  });

  test('the same after a restart, and when the game has another id now', () => {
    const { router, events } = setUp([toldRow(7), toldRow(8)], 'closed', () => profiles('kim'));
    const chess = player(8, { game: 'chess' });
    router.fromScanner({ type: 'processes.snapshot', processes: [player(7), chess], source: 'procfs' });
    expect(events().map((e) => [e.event_type, e.data.child_profile, e.data.process_info.pid])).toEqual([
      ['roblox_stopped', 'default_child', 7],
      ['roblox_stopped', 'default_child', 8],
      ['roblox_started', 'kim', 7],
      ['game_started', 'kim', 8],
    ]);
  });

  test('what belongs to the same child as before is let be', () => {
    const { router, kinds, toSession } = setUp([toldRow(7)]);
    router.fromScanner({ type: 'processes.snapshot', processes: [player(7)], source: 'procfs' });
    router.releaseMoved();
    router.takeMoved();
    expect(kinds()).toEqual([]);
    expect(toSession.map((m) => m.type)).toEqual(['processes.snapshot', 'processes.snapshot']);
  });
});

describe('E1: what was closed is told so only as long as somebody closes it', () => {
  const ends = {
    type: 'process.stopped',
    identity: identity(7),
    endedAwakeMs: 1_000_000,
    how: 'exit',
  } as const;
  const snapshot = { type: 'processes.snapshot', processes: [player(7)], source: 'procfs' } as const;
  const closing = toldRow(7, { closing: 'limit', why: { rule: 'day', sentence: 'time is up' } });

  test('a close that went with the last run leaves no mark on what still runs', () => {
    const { router, events } = setUp([closing]);
    router.fromScanner(snapshot);
    router.fromScanner(ends);
    expect(events()[0]).toMatchObject({ event_type: 'roblox_stopped' });
    expect(events()[0].data).not.toHaveProperty('reason');
    expect(events()[0].data).not.toHaveProperty('why');
  });

  test('what went while the agent was down was closed by its last run', () => {
    const { router, events } = setUp([closing]);
    router.fromScanner({ ...snapshot, processes: [] });
    expect(events()[0]).toMatchObject({ event_type: 'roblox_auto_closed', data: { reason: 'limit' } });
  });

  test('a scanner that starts again in the middle of a close changes nothing', async () => {
    const { router, events } = setUp([toldRow(7)]);
    router.fromScanner(snapshot);
    router.fromSession(closeOrder('day', 7));
    router.fromScanner(snapshot);
    router.fromScanner(ends);
    expect(events().at(-1)).toMatchObject({ event_type: 'roblox_auto_closed', data: { reason: 'limit' } });
  });

  test('a close that found nothing running leaves no mark, unless another one has closed it', async () => {
    const alone = setUp([toldRow(7)], 'not_running');
    await alone.router.closeGames('default_child', undefined);
    alone.router.fromScanner(ends);
    expect(alone.events()[0].data).not.toHaveProperty('reason');

    const outcomes = ['closed', 'not_running'] as const;
    const both = setUp([toldRow(7)], () => outcomes[both.tasks.length - 1] ?? 'failed');
    await both.router.closeGames('default_child', undefined);
    await both.router.closeGames('default_child', undefined);
    both.router.fromScanner(ends);
    expect(both.events()[0]).toMatchObject({ event_type: 'roblox_stopped', data: { reason: 'command' } });
  });
});

describe('T7: a session actor that is down while games end', () => {
  const stop = (pid: number, endedAwakeMs: number) =>
    ({ type: 'process.stopped', identity: identity(pid), endedAwakeMs, how: 'exit' }) as const;

  test('its next life is told each stop at its own moment before it is told what runs', () => {
    const { router, toSession } = setUp([toldRow(7), toldRow(8)]);
    router.fromScanner({ type: 'processes.snapshot', processes: [player(7), player(8)], source: 'procfs' });
    router.fromScanner(stop(7, 999_500));
    toSession.length = 0;
    router.greetSession();
    expect(toSession).toMatchObject([
      { type: 'process.played', process: { pid: 7 }, child: 'default_child', endedAwakeMs: 999_500 },
      { type: 'processes.snapshot', processes: [{ process: { pid: 8 } }] },
    ]);
  });

  test('a stop that it has taken in is not told to the next one', () => {
    const { router, toSession } = setUp([toldRow(7)]);
    router.fromScanner({ type: 'processes.snapshot', processes: [player(7)], source: 'procfs' });
    router.fromScanner(stop(7, 999_500));
    router.fromSession({ ...closeOrder('day', 7), closes: [], stopped: [identity(7)] });
    toSession.length = 0;
    router.greetSession();
    expect(toSession).toMatchObject([{ type: 'processes.snapshot', processes: [] }]);
  });

  test('a stop that still waits for its start to be taken in is a whole play to the next one, not something that runs', () => {
    const { router, toSession, kinds } = setUp();
    router.fromScanner({ type: 'processes.snapshot', processes: [], source: 'procfs' });
    router.fromScanner({ type: 'process.started', process: player(7), found: false });
    router.fromScanner(stop(7, 999_500));
    toSession.length = 0;
    router.greetSession();
    expect(toSession).toMatchObject([
      { type: 'process.played', process: { pid: 7 }, endedAwakeMs: 999_500 },
      { type: 'processes.snapshot', processes: [] },
    ]);
    router.fromSession(tookIn(7));
    expect(kinds()).toEqual(['roblox_started', 'agent_recovered', 'roblox_stopped']);
  });

  test('E4 C4: what waits for it when the agent stops is told then, and nothing after it', () => {
    const { router, kinds, clock } = setUp();
    router.fromScanner({ type: 'process.started', process: player(7), found: false });
    router.fromScanner(stop(7, 999_500));
    expect(kinds()).toEqual(['roblox_started']);
    router.stop();
    expect(kinds()).toEqual(['roblox_started', 'roblox_stopped']);
    expect(clock.pendingTimers).toBe(0);
  });
});
