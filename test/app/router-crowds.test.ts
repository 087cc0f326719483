/** The router when more processes run and end than the session actor's mailbox holds (D10: enforcement never waits; T7). */
import { expect, test } from 'vitest';
import type { GameProcess } from '../../src/protocol/messages.ts';
import { MAX_UNPROCESSED } from '../../src/runtime/mailbox.ts';
import { identity, player, setUp, toldRow, tookIn } from './router-bench.ts';

const FIRST = 10_000;
const CROWD = MAX_UNPROCESSED + 10;
const pids = Array.from({ length: CROWD }, (_, i) => FIRST + i);
const snapshot = (...processes: GameProcess[]) =>
  ({ type: 'processes.snapshot', processes, source: 'procfs' }) as const;

test('T7: a fresh session actor hears of a crowd in two messages: what ended meanwhile, and all that runs', () => {
  const { router, toSession, posts } = setUp();
  router.fromScanner(snapshot(...pids.map((pid) => player(pid, { startedAwakeMs: pid }))));
  for (const pid of pids) router.fromSession(tookIn(pid));
  const [oldest] = pids;
  for (const pid of [FIRST + 7, FIRST + 8])
    router.fromScanner({
      type: 'process.stopped',
      identity: identity(pid),
      endedAwakeMs: 999_500,
      how: 'exit',
    });
  const before = posts();
  toSession.length = 0;
  router.greetSession();
  expect(posts() - before).toBe(2);
  // Of what runs only the oldest comes before the plays: with it their session goes on.
  expect(toSession).toMatchObject([
    { type: 'process.started', process: { pid: oldest } },
    { type: 'process.played', process: { pid: FIRST + 7 } },
    { type: 'process.played', process: { pid: FIRST + 8 } },
    { type: 'processes.snapshot', processes: { length: CROWD - 2 } },
  ]);
});

test('T7: a crowd that a fresh scanner finds gone, at a start or later, is one message', () => {
  const rows = pids.map((pid) => toldRow(pid, { bootId: 'boot' }));
  const started = setUp(rows);
  started.router.fromScanner(snapshot());
  expect([started.posts(), started.toSession.length]).toEqual([1, CROWD + 1]);
  const running = setUp();
  running.router.fromScanner(snapshot(...pids.map((pid) => player(pid))));
  for (const pid of pids) running.router.fromSession(tookIn(pid));
  const before = running.posts();
  running.router.fromScanner(snapshot());
  expect(running.posts() - before).toBe(1);
  expect(running.toSession.at(-1)).toMatchObject({ type: 'processes.snapshot', processes: [] });
});

test('the session actor is not sent command lines, which the child makes as long as it likes', () => {
  const { router, toSession } = setUp();
  const process = player(7, { command: 'x'.repeat(100_000), path: `/${'y'.repeat(4_000)}` });
  router.fromScanner(snapshot(process));
  router.fromScanner({ type: 'process.started', process: { ...process, pid: 8 }, found: false });
  expect(JSON.stringify(toSession).length).toBeLessThan(1_000);
});
