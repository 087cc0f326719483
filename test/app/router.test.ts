/** The router over stores in memory: who is told what, in which order, and what is not told twice. */
import { describe, expect, test } from 'vitest';
import { agentEvent } from '../../src/app/agent-event.ts';
import type { CloseReport } from '../../src/protocol/commands.ts';
import { type Config, DEFAULT_CONFIG } from '../../src/protocol/config.ts';
import { closeOrder, identity, played, player, setUp, toldRow, tookIn } from './router-bench.ts';

describe('E4: a stop that overtakes the start of its session', () => {
  const stop = (pid: number) =>
    ({ type: 'process.stopped', identity: identity(pid), endedAwakeMs: 999_500, how: 'exit' }) as const;

  test('waits until the session actor has told the start', () => {
    const { router, kinds, events, toSession } = setUp();
    router.fromScanner({ type: 'processes.snapshot', processes: [], source: 'procfs' });
    toSession.length = 0;
    router.fromScanner({ type: 'process.started', process: player(7), found: false });
    router.fromScanner(stop(7));
    expect(kinds()).toEqual(['roblox_started']);
    router.fromSession(tookIn(7));
    expect(kinds()).toEqual(['roblox_started', 'agent_recovered', 'roblox_stopped']);
    expect(events()[2].data.process_info.ended_at).toBe('2026-01-15T15:59:59.500Z');
    expect(toSession.map((m) => m.type)).toEqual(['process.started', 'process.stopped']);
  });

  test('a process of the first snapshot waits as well', () => {
    const { router, kinds } = setUp();
    router.fromScanner({ type: 'processes.snapshot', processes: [player(7)], source: 'procfs' });
    router.fromScanner(stop(7));
    router.fromSession(tookIn(7));
    expect(kinds()).toEqual(['roblox_started', 'agent_recovered', 'roblox_stopped']);
  });

  test('is told without delay once the start was taken in, and after 5 s without an answer', () => {
    const { router, kinds, clock } = setUp();
    router.fromScanner({ type: 'process.started', process: player(7), found: false });
    router.fromSession(tookIn(7));
    router.fromScanner(stop(7));
    expect(kinds().at(-1)).toBe('roblox_stopped');
    router.fromScanner({ type: 'process.started', process: player(8), found: false });
    router.fromScanner(stop(8));
    clock.advance(4_999);
    expect(kinds().at(-1)).toBe('roblox_started');
    clock.advance(1);
    expect(kinds().at(-1)).toBe('roblox_stopped');
  });
});

describe('E1: starts and stops', () => {
  test('a start is told with its child and its own moment, then the session actor hears it', () => {
    const { router, events, toSession } = setUp();
    router.fromScanner({ type: 'process.started', process: player(7), found: false });
    expect(events()).toEqual([
      {
        type: 'roblox_event',
        event_type: 'roblox_started',
        data: {
          process_info: {
            pid: 7,
            name: 'RobloxPlayerBeta.exe',
            started_at: '2026-01-15T15:59:59.000Z',
            user: 'kim',
          },
          child_profile: 'default_child',
        },
      },
    ]);
    expect(toSession).toEqual([
      { type: 'process.started', process: played(7), child: 'default_child', found: false },
    ]);
  });

  test('a stop is told with the moment it was seen, or null when nobody saw it', () => {
    const { router, events } = setUp([toldRow(7), toldRow(8)]);
    router.fromScanner({
      type: 'process.stopped',
      identity: identity(7),
      endedAwakeMs: 1_000_000,
      how: 'exit',
    });
    router.fromScanner({ type: 'process.stopped', identity: identity(8), endedAwakeMs: null, how: 'gone' });
    expect(events().map((e) => e.data.process_info.ended_at)).toEqual(['2026-01-15T16:00:00.000Z', null]);
  });

  test('a game other than roblox is a game_event with its name', () => {
    const { router, events } = setUp();
    router.fromScanner({ type: 'process.started', process: player(7, { game: 'chess' }), found: true });
    expect(events()[0]).toMatchObject({
      type: 'game_event',
      event_type: 'game_started',
      data: { game: { id: 'chess', name: 'chess' }, process_info: { found: true } },
    });
  });

  test('the stop of a process that was never told is not told', () => {
    const { router, events, toSession } = setUp();
    router.fromScanner({ type: 'process.stopped', identity: identity(7), endedAwakeMs: 1, how: 'exit' });
    expect(events()).toEqual([]);
    expect(toSession).toEqual([]);
  });

  test('a start that was told before is not told again, but the session actor hears it', () => {
    const { router, kinds, toSession } = setUp([toldRow(7)]);
    router.fromScanner({ type: 'process.started', process: player(7), found: true });
    expect(kinds()).toEqual([]);
    expect(toSession).toHaveLength(1);
  });
});

describe('E1: a scanner that starts, or starts again', () => {
  test('tells only the difference: what went meanwhile without a moment, what came as found', () => {
    const { router, kinds, events, toSession } = setUp([toldRow(7), toldRow(8)]);
    router.fromScanner({ type: 'processes.snapshot', processes: [player(8), player(9)], source: 'procfs' });
    expect(kinds()).toEqual(['roblox_stopped', 'roblox_started']);
    expect(events()[0].data.process_info).toMatchObject({ pid: 7, ended_at: null });
    expect(events()[1].data.process_info).toMatchObject({ pid: 9, found: true });
    expect(toSession).toEqual([
      {
        type: 'processes.snapshot',
        processes: [8, 9].map((pid) => ({ process: played(pid), child: 'default_child' })),
        atAwakeMs: 1_000_000,
      },
    ]);
  });

  test('a reused pid with another start is another process', () => {
    const { router, kinds } = setUp([toldRow(7)]);
    router.fromScanner({
      type: 'processes.snapshot',
      processes: [player(7, { startKey: 'boot:later' })],
      source: 'procfs',
    });
    expect(kinds()).toEqual(['roblox_stopped', 'roblox_started']);
  });

  test('a session actor is greeted only after the first snapshot: until then nobody knows what runs', () => {
    const { router, toSession } = setUp([toldRow(7)]);
    router.greetSession();
    expect(toSession).toEqual([]);
    router.fromScanner({ type: 'processes.snapshot', processes: [player(7)], source: 'procfs' });
    router.greetSession();
    expect(toSession).toHaveLength(2);
  });
});

describe('E1, T6: closing', () => {
  test.each([
    ['day', 'limit'],
    ['pause', 'pause'],
  ] as const)('a game closed for the %s is told as auto_closed with reason %s', async (cause, reason) => {
    const { router, events, toSession, tasks } = setUp([toldRow(7)]);
    router.fromScanner({ type: 'processes.snapshot', processes: [player(7)], source: 'procfs' });
    router.fromSession(closeOrder(cause, 7));
    await Promise.resolve();
    router.fromScanner({
      type: 'process.stopped',
      identity: identity(7),
      endedAwakeMs: 1_000_000,
      how: 'exit',
    });
    const target = { ...identity(7), execution: 'e1' };
    expect(tasks[0]).toMatchObject({ target, waitMs: 5_000, ownPids: [process.pid] });
    expect(events()[0]).toMatchObject({
      event_type: 'roblox_auto_closed',
      data: { reason, why: { rule: cause, sentence: 'time is up' } },
    });
    expect(toSession).toContainEqual({
      type: 'process.stopped',
      identity: identity(7),
      endedAwakeMs: 1_000_000,
      by: reason,
    });
  });

  test('the outcome goes back to the session actor with the ticket', async () => {
    const { router, toSession } = setUp([toldRow(7)]);
    router.fromSession(closeOrder('day', 7));
    await expect
      .poll(() => toSession)
      .toContainEqual({
        type: 'close.report',
        ticket: 't1',
        reports: [{ pid: 7, name: 'RobloxPlayerBeta.exe', outcome: 'closed', waited_ms: 1 }],
      });
  });

  test('a process that a command closed is told as stopped with reason command', async () => {
    const { router, events } = setUp([toldRow(7)]);
    const reports = router.closeGames('default_child', undefined);
    router.fromScanner({
      type: 'process.stopped',
      identity: identity(7),
      endedAwakeMs: 1_000_000,
      how: 'exit',
    });
    expect(await reports).toHaveLength(1);
    expect(events()[0]).toMatchObject({ event_type: 'roblox_stopped', data: { reason: 'command' } });
  });

  test('what was forked from a process that is being closed is closed with it: its stop says so', async () => {
    const { router, events } = setUp([toldRow(7)]);
    const reports = router.closeGames('default_child', undefined);
    router.fromScanner({ type: 'process.stopped', identity: identity(7), endedAwakeMs: 1_000, how: 'exit' });
    router.fromScanner({ type: 'process.started', process: player(8), found: false });
    router.fromScanner({ type: 'process.started', process: player(9, { execution: 'e2' }), found: false });
    await reports;
    for (const pid of [8, 9]) {
      router.fromSession(tookIn(pid));
      router.fromScanner({
        type: 'process.stopped',
        identity: identity(pid),
        endedAwakeMs: 2_000,
        how: 'exit',
      });
    }
    const stops = events().filter((e) => e.event_type === 'roblox_stopped');
    expect(stops.map((e) => [e.data.process_info.pid, e.data.reason])).toEqual([
      [7, 'command'],
      [8, 'command'],
      [9, undefined],
    ]);
  });

  test('one that went with its kin before its own turn was closed too; where the close failed no mark stays', async () => {
    const outcomes: CloseReport['outcome'][] = ['closed', 'not_running'];
    const { router, rows } = setUp([toldRow(7), toldRow(8)], () => outcomes.shift() ?? 'failed');
    await router.closeGames('default_child', undefined);
    expect([...rows.values()].map((row) => row.closing)).toEqual(['command', 'command']);
    const failing = setUp([toldRow(7)], 'failed');
    const reports = failing.router.closeGames('default_child', undefined);
    failing.router.fromScanner({ type: 'process.started', process: player(8), found: false });
    await reports;
    expect([...failing.rows.values()].map((row) => row.closing)).toEqual([null, null]);
  });

  test('a command closes the games of its child and its game only', async () => {
    const others = [
      toldRow(7, { child: 'lou' }),
      toldRow(8, { process: player(8, { game: 'chess' }) }),
      toldRow(9),
    ];
    const { router, tasks } = setUp(others);
    await router.closeGames('default_child', 'roblox');
    expect(tasks.map((task) => task.target.pid)).toEqual([9]);
  });

  test('a close that was denied leaves no mark: when the game ends by itself it has stopped', async () => {
    const { router, events } = setUp([toldRow(7)], 'denied');
    await router.closeGames('default_child', undefined);
    router.fromScanner({
      type: 'process.stopped',
      identity: identity(7),
      endedAwakeMs: 1_000_000,
      how: 'exit',
    });
    expect(events()[0].data).not.toHaveProperty('reason');
  });
});

describe('E3: a scan that failed is never a stop', () => {
  test('nothing is told; after the third failure in a row detection is in trouble, until a scan works', () => {
    const { router, events, toSession } = setUp([toldRow(7)]);
    for (const failures of [1, 2, 3]) router.fromScanner({ type: 'scan.unknown', reason: 'EIO', failures });
    expect(events()).toEqual([]);
    expect(toSession).toEqual([{ type: 'scan.unknown' }]);
    expect(router.detection().trouble).toContain('EIO');
    router.fromScanner({ type: 'scan.known' });
    expect(router.detection().trouble).toBeNull();
  });

  test('a scanner that starts anew sees: the trouble of the one before it is over', () => {
    const { router } = setUp();
    router.fromScanner({ type: 'scan.unknown', reason: 'EMFILE', failures: 3 });
    router.fromScanner({ type: 'processes.snapshot', processes: [], source: 'proc-events' });
    expect(router.detection().trouble).toBeNull();
  });

  test('a source that takes over is trouble until the first one is back', () => {
    const { router } = setUp();
    router.fromScanner({ type: 'processes.snapshot', processes: [], source: 'proc-events' });
    router.fromScanner({ type: 'source.changed', source: 'procfs', reason: 'the socket closed' });
    expect(router.detection()).toMatchObject({
      source: 'procfs',
      trouble: expect.stringContaining('the socket closed'),
    });
    router.fromScanner({ type: 'source.changed', source: 'proc-events', reason: 'it works again' });
    expect(router.detection()).toEqual({ source: 'proc-events', trouble: null });
  });

  test('a source that the configuration names and this machine has not is trouble, from the start and after a reload', () => {
    let source: Config['detection']['source'] = 'toolhelp';
    const config = () => ({ ...DEFAULT_CONFIG, detection: { ...DEFAULT_CONFIG.detection, source } });
    const { router, warnings } = setUp([], 'closed', config);
    const reason = 'toolhelp: this is not Windows';
    router.fromScanner({ type: 'processes.snapshot', processes: [], source: 'proc-events', reason });
    const trouble = `Detection uses proc-events in the place of toolhelp: ${reason}`;
    expect(router.detection()).toEqual({ source: 'proc-events', trouble });
    expect(warnings.at(-1)).toMatchObject({ source: 'proc-events', reason });
    source = 'auto';
    router.fromScanner({ type: 'source.changed', source: 'proc-events', reason: 'the configuration asks' });
    expect(router.detection().trouble).toBeNull();
    source = 'procfs';
    router.fromScanner({ type: 'source.changed', source: 'ps-list', reason: 'procfs: no /proc' });
    expect(router.detection().trouble).toContain('no /proc');
  });

  test('a scanner that has to start with a worse source than its predecessor is trouble', () => {
    const { router } = setUp();
    router.fromScanner({ type: 'processes.snapshot', processes: [], source: 'proc-events' });
    router.fromScanner({ type: 'processes.snapshot', processes: [], source: 'procfs' });
    expect(router.detection().trouble).toContain('procfs in the place of proc-events');
  });

  test('C4: a source that a reload asks for is no trouble, and going back is none either', () => {
    let source: Config['detection']['source'] = 'auto';
    const config = () => ({ ...DEFAULT_CONFIG, detection: { ...DEFAULT_CONFIG.detection, source } });
    const { router } = setUp([], 'closed', config);
    router.fromScanner({ type: 'processes.snapshot', processes: [], source: 'proc-events' });
    source = 'procfs';
    router.fromScanner({ type: 'source.changed', source: 'procfs', reason: 'the configuration asks for it' });
    expect(router.detection()).toEqual({ source: 'procfs', trouble: null });
    source = 'auto';
    router.fromScanner({ type: 'source.changed', source: 'proc-events', reason: 'the configuration asks' });
    expect(router.detection()).toEqual({ source: 'proc-events', trouble: null });
    router.fromScanner({ type: 'source.changed', source: 'procfs', reason: 'the socket closed' });
    expect(router.detection().trouble).toContain('the socket closed');
  });
});

test('the trusted clock follows the session actor', () => {
  const { router, clock } = setUp();
  router.fromSession(closeOrder('day', 7));
  expect(clock.biases).toEqual([5]);
});

test('an agent event is one sentence and numbers', () => {
  expect(agentEvent('agent_degraded', 'Something broke.', { n: 1 })).toEqual({
    type: 'agent_event',
    event_type: 'agent_degraded',
    data: { message: 'Something broke.', n: 1 },
  });
});
