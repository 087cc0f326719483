/** Closing over an executor and a scanner that the test plays: what is followed, what is joined, how long, and what is said. */
import { describe, expect, test } from 'vitest';
import type { CloseTask, GameProcess } from '../../src/protocol/messages.ts';
import { type Answer, closeOrder, identity, player, setUp, toldRow } from './router-bench.ts';

const KID = 'default_child';
const launched = (n: number) =>
  player(7, { path: `/games/${n}`, command: `/games/${n}`, execution: `e${n}` });

/** One game that runs, and an executor that answers as the test says, with the first that is left. */
function playing(answers: Answer[] = []) {
  const bench = setUp([toldRow(7)], () => answers.shift() ?? { outcome: 'closed' });
  const { router } = bench;
  const changes = (process: GameProcess) => router.fromScanner({ type: 'process.changed', process });
  const stops = (how: 'exit' | 'exec') =>
    router.fromScanner({ type: 'process.stopped', identity: identity(7), endedAwakeMs: 1_000_000, how });
  router.fromScanner({ type: 'processes.snapshot', processes: [player(7)], source: 'procfs' });
  router.fromSession({ ...closeOrder('day', 7), closes: [], started: [identity(7)] });
  const executions = () => bench.tasks.map(({ target }) => target.execution);
  return { ...bench, changes, stops, executions };
}

const NOT_TOUCHED = { outcome: 'not_running', goesOn: true } as const;

describe('K4, T6: a process that executes the game while it is closed', () => {
  test('a launcher that executes the game is closed as what it is then: the scanner had said so before', async () => {
    const { router, changes, executions, rows } = playing([NOT_TOUCHED]);
    const reports = router.closeGames(KID, undefined);
    changes(launched(2));
    expect(await reports).toMatchObject([{ outcome: 'closed' }]);
    expect(executions()).toEqual(['e1', 'e2']);
    expect(rows.get(7)?.closing).toBe('command');
  });

  test.each([NOT_TOUCHED, { outcome: 'closed', goesOn: true }, { outcome: 'failed', goesOn: true }] as const)(
    'nobody says $outcome before the scanner has said what it is: the game is closed then',
    async (first) => {
      const { router, changes, executions, tasks, toSession, clock } = playing([first]);
      const idle = clock.pendingTimers;
      router.fromSession(closeOrder('day', 7));
      await settled();
      expect(toSession.filter(({ type }) => type === 'close.report')).toEqual([]);
      clock.advance(1_500);
      changes(launched(2));
      await settled();
      expect(executions()).toEqual(['e1', 'e2']);
      expect(tasks.map(({ waitMs }) => waitMs)).toEqual([5_000, 3_500]);
      expect(toSession.at(-1)).toMatchObject({
        type: 'close.report',
        ticket: 't1',
        reports: [{ outcome: 'closed', waited_ms: 1_501 }],
      });
      expect(clock.pendingTimers).toBe(idle);
    },
  );

  test('another program is not touched, and its end as a game is told as its own doing', async () => {
    const { router, stops, executions, events } = playing([NOT_TOUCHED]);
    const reports = router.closeGames(KID, undefined);
    await settled();
    stops('exec');
    expect(await reports).toMatchObject([{ outcome: 'not_running' }]);
    expect(executions()).toEqual(['e1']);
    expect(events().at(-1).data).not.toHaveProperty('reason');
  });

  test('what asking made another program was closed', async () => {
    const { router, stops, events } = playing([{ outcome: 'closed', goesOn: true }]);
    const reports = router.closeGames(KID, undefined);
    await settled();
    stops('exec');
    expect(await reports).toMatchObject([{ outcome: 'closed' }]);
    expect(events().at(-1)).toMatchObject({ event_type: 'roblox_stopped', data: { reason: 'command' } });
  });

  test('a scanner that says nothing: it has failed after 2 s, and no mark stays', async () => {
    const { router, clock, executions, rows } = playing([{ outcome: 'closed', goesOn: true }]);
    const reports = router.closeGames(KID, undefined);
    await settled();
    clock.advance(2_000);
    expect(await reports).toMatchObject([{ outcome: 'failed', error: expect.stringContaining('not known') }]);
    expect(executions()).toEqual(['e1']);
    expect(rows.get(7)?.closing).toBeNull();
  });

  test('one that executes itself anew whenever it is asked is forced in the end, and not followed for ever', async () => {
    const dodges = Array.from({ length: 80 }, () => ({ outcome: 'failed', goesOn: true }) as const);
    const { router, changes, tasks } = playing(dodges);
    const reports = router.closeGames(KID, undefined);
    for (let n = 2; n < 70; n++) {
      await settled();
      changes(launched(n));
    }
    expect(await reports).toMatchObject([{ outcome: 'failed' }]);
    expect(tasks.map(({ waitMs }) => waitMs).slice(0, 5)).toEqual([5_000, 5_000, 5_000, 0, 0]);
    expect(tasks).toHaveLength(50);
  });

  test('a stop of the agent waits for no word of the scanner', async () => {
    const { router, clock } = playing([NOT_TOUCHED]);
    const reports = router.closeGames(KID, undefined);
    await settled();
    router.stop();
    expect(await reports).toMatchObject([{ outcome: 'failed' }]);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('a process is closed once at a time', () => {
  test('who wants it closed meanwhile gets the same report: a crowd of orders is no crowd of closes', async () => {
    const { router, tasks, toSession, rows } = playing();
    const first = router.closeGames(KID, undefined);
    const second = router.closeGames(KID, undefined);
    router.fromSession(closeOrder('day', 7));
    expect(await second).toEqual(await first);
    await settled();
    expect(tasks).toHaveLength(1);
    expect(toSession.at(-1)).toMatchObject({ type: 'close.report', reports: [{ outcome: 'closed' }] });
    expect(rows.get(7)?.closing).toBe('command');
    await router.closeGames(KID, undefined);
    expect(tasks).toHaveLength(2);
  });

  test('a close that fails after one that closed takes no mark from it', async () => {
    const { router, rows, stops, events } = playing([{ outcome: 'closed' }, { outcome: 'not_running' }]);
    router.fromSession(closeOrder('pause', 7));
    await settled();
    await router.closeGames(KID, undefined);
    expect(rows.get(7)?.closing).toBe('pause');
    stops('exit');
    expect(events().at(-1)).toMatchObject({ event_type: 'roblox_auto_closed', data: { reason: 'pause' } });
  });
});

describe('an order that holds no more', () => {
  const withdraws = { ...closeOrder('day', 7), closes: [], withdrawn: [identity(7)] };
  const isWithdrawn = (task: CloseTask | undefined) =>
    task?.withdrawn !== undefined && Atomics.load(new Int32Array(task.withdrawn), 0) === 1;

  test('what it wanted closed is not forced, and not told as closed for a limit', async () => {
    const { router, tasks, rows } = playing([{ outcome: 'failed', withdrawn: true }]);
    router.fromSession(closeOrder('day', 7));
    expect(isWithdrawn(tasks[0])).toBe(false);
    router.fromSession(withdraws);
    expect(isWithdrawn(tasks[0])).toBe(true);
    await settled();
    expect(rows.get(7)?.closing).toBeNull();
  });

  test('wanted again before it is over, it is asked anew and gets its whole waiting time', async () => {
    const { router, tasks, rows, clock } = playing([
      { outcome: 'failed', withdrawn: true },
      { outcome: 'closed' },
    ]);
    router.fromSession(closeOrder('day', 7));
    clock.advance(4_000);
    router.fromSession(withdraws);
    router.fromSession({ ...closeOrder('day', 7), started: [] });
    await settled();
    expect(tasks.map(isWithdrawn)).toEqual([true, false]);
    expect(tasks.map(({ waitMs }) => waitMs)).toEqual([5_000, 5_000]);
    expect(rows.get(7)?.closing).toBe('limit');
  });

  test('however often it was ordered: a fresh session actor orders again what it finds under way', async () => {
    const { router, tasks } = playing([{ outcome: 'failed', withdrawn: true }]);
    router.fromSession(closeOrder('day', 7));
    router.fromSession(closeOrder('day', 7));
    router.fromSession(withdraws);
    expect(tasks.map(isWithdrawn)).toEqual([true]);
    await settled();
  });

  test('unless a command wants it closed too', async () => {
    const { router, tasks } = playing();
    router.fromSession(closeOrder('day', 7));
    const command = router.closeGames(KID, undefined);
    router.fromSession(withdraws);
    expect(isWithdrawn(tasks[0])).toBe(false);
    await command;

    router.fromSession(closeOrder('day', 7));
    router.fromSession(withdraws);
    expect(isWithdrawn(tasks[1])).toBe(true);
    await settled();
  });
});

/** What follows from what has happened is done. */
async function settled(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}
