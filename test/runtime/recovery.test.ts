/** Supervised actors in real threads: how each behaviour is recovered from, how fast, and that nothing is left. */
import { readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import type { Report, RunningChild } from '../../src/runtime/child.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { HANG_AFTER_MS } from '../../src/runtime/heartbeat.ts';
import { RESTART_LIMITS } from '../../src/runtime/restart-rule.ts';
import { Supervisor } from '../../src/runtime/supervisor.ts';
import { removeBundles } from '../helpers/bundle.ts';
import { endThreads, startThread, type Thread } from './threads.ts';

const SHUTDOWN_MS = 500;
/** The goals are those of an ordinary machine; here they stand for "by itself and soon", on one that is far slower. */
const SLOWNESS = 10;

/** One supervised fixture: `next()` is the incarnation that comes up next. */
function supervise(fixture: string, options: Parameters<typeof startThread>[1] = {}) {
  const reports: Report[] = [];
  const up: Thread[] = [];
  let tellUp: () => void = () => {};
  const supervisor = new Supervisor({
    name: 'test',
    strategy: 'one_for_one',
    clock: systemClock,
    random: Math.random,
    limits: { ...RESTART_LIMITS, maxRestarts: 1_000, maxDelayMs: 100 },
    children: [{ id: fixture, restart: 'permanent', shutdownMs: SHUTDOWN_MS + 100, start }],
    onReport: (report) => reports.push(report),
    onGaveUp() {},
  });

  async function start(incarnation: number): Promise<RunningChild> {
    const thread = await startThread(fixture, { ...options, incarnation });
    const ready = await thread.ready;
    if (!ready.ok) throw new Error(ready.exit.kind);
    up.push(thread);
    tellUp();
    return {
      exited: thread.exited,
      stop: () => thread.stop(SHUTDOWN_MS),
      kill: (reason) => thread.kill(reason),
      beat: () => ({ lastBeatAgoMs: thread.lastBeatAgoMs(), lastWorkAgoMs: thread.lastWorkAgoMs() }),
    };
  }

  async function next(): Promise<Thread> {
    if (up.length === 0) {
      await new Promise<void>((resolve) => {
        tellUp = resolve;
      });
    }
    return up.shift() as Thread;
  }
  return { supervisor, reports, next };
}

let current: Supervisor | null = null;
afterEach(async () => {
  await current?.stop();
  await endThreads();
});
afterAll(removeBundles);

const HEAP = { resourceLimits: { maxOldGenerationSizeMb: 16 } };

test.each([
  ['crash-on-message', 'crash', 1_000, {}],
  ['exits-clean', 'end', 1_000, {}],
  ['out-of-memory', 'go', 1_500, HEAP],
  ['busy-loop', 'spin', 3_000, {}],
  ['catastrophic-regex', `${'a'.repeat(60)}!`, 3_000, {}],
])('%s works again within the time allowed', async (fixture, message, allowedMs, options) => {
  const { supervisor, next } = supervise(fixture, options);
  current = supervisor;
  await supervisor.start();
  const thread = await next();
  const failedAt = systemClock.monotonic();
  thread.handle.post(message);
  const replacement = await next();
  expect(systemClock.monotonic() - failedAt).toBeLessThan(allowedMs * SLOWNESS);
  expect(replacement.handle.incarnation).toBe(2);
  expect(supervisor.state()[fixture]).toMatchObject({ restarts: 1 });
});

test('a hang is told as such, with the age of the beat', async () => {
  const { supervisor, reports, next } = supervise('busy-loop');
  current = supervisor;
  await supervisor.start();
  (await next()).handle.post('spin');
  await next();
  expect(reports.map((report) => report.kind)).toEqual([
    'started',
    'hung',
    'exited',
    'restarting',
    'started',
  ]);
  const [, ageMs] = reports[2]?.reason?.match(/^killed: no heartbeat for (\d+) ms$/) ?? [];
  expect(Number(ageMs)).toBeGreaterThanOrEqual(HANG_AFTER_MS);
});

test('ignores-shutdown: the supervisor’s stop ends within the time allowed', async () => {
  const { supervisor } = supervise('ignores-shutdown');
  await supervisor.start();
  const askedAt = systemClock.monotonic();
  await supervisor.stop();
  expect(systemClock.monotonic() - askedAt).toBeLessThan((SHUTDOWN_MS + 500) * SLOWNESS);
});

test('an incarnation that is over is collected: nothing holds it, comlink’s registry least of all', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const over: WeakRef<object>[] = [];
  for (let n = 0; n < 5; n += 1) {
    const thread = await startThread('crash-on-message');
    await thread.handle.call('nothing', []);
    await thread.kill('enough');
    over.push(new WeakRef(thread.handle));
  }
  await vi.waitFor(
    () => {
      collectGarbage();
      expect(over.filter((handle) => handle.deref()).length).toBeLessThanOrEqual(1);
    },
    { timeout: 5_000, interval: 50 },
  );
});

test('fifty crashes leave no thread, no descriptor and no timer behind', async () => {
  const { supervisor, next } = supervise('crash-on-message');
  current = supervisor;
  await supervisor.start();
  const left = () => [readdirSync('/proc/self/task').length, readdirSync('/proc/self/fd').length];
  const before = left();
  for (let n = 0; n < 50; n += 1) (await next()).handle.post('crash');
  await next();
  await vi.waitFor(
    () => {
      const after = left();
      expect(after[0]).toBeLessThanOrEqual(before[0]! + 1);
      expect(after[1]).toBeLessThanOrEqual(before[1]! + 1);
    },
    { timeout: 10_000, interval: 50 },
  );
  await supervisor.stop();
  expect(process.getActiveResourcesInfo().filter((kind) => kind === 'MessagePort')).toHaveLength(0);
});
