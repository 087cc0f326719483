/**
 * What is left after many restarts, connects and call deadlines: nothing. The long form is `npm run chaos -- leaks`:
 * 1,000 restarts, 10,000 connects, 10,000 deadlines.
 */
import { readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, expect, test } from 'vitest';
import { removeBundles } from '../helpers/bundle.ts';
import { LONG_TIMEOUT_MS, report, roundsOf } from '../helpers/long-run.ts';
import { testServer, VIEW } from '../helpers/transport-server.ts';
import { openReliable } from '../helpers/ws-client.ts';
import { endThreads, startThread } from './threads.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const RESTARTS = roundsOf(60);
const CONNECTS = 10 * RESTARTS;
const DEADLINES = 10 * RESTARTS;
const HEAP_MAY_GROW = 3 * 2 ** 20;
/** Below the number of overdue calls at which an actor counts as hung. */
const CALLS_AT_ONCE = 20;

afterEach(endThreads);
afterAll(removeBundles);

interface Held {
  readonly heapBytes: number;
  readonly descriptors: number;
  readonly threads: number;
}

/** What goes by itself may take its time on a slow machine, ms. */
const PATIENCE_MS = 20_000;

/** After what was closed has had its time to go: until it holds no more than `before`, if that is given. */
async function heldWithin(before: Held): Promise<Held> {
  for (const deadline = Date.now() + PATIENCE_MS; ; ) {
    const now = await held();
    const isBack = now.descriptors <= before.descriptors && now.threads <= before.threads;
    if (isBack || Date.now() > deadline) return now;
  }
}

/** After what was closed has had its turns of the loop to go. */
async function held(): Promise<Held> {
  for (let n = 0; n < 4; n += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    collectGarbage();
  }
  return {
    heapBytes: process.memoryUsage().heapUsed,
    descriptors: readdirSync('/proc/self/fd').length,
    threads: readdirSync('/proc/self/task').length,
  };
}

/** Does it a tenth as often for warming up, then in full: what the process holds must not have grown. */
async function leavesNothing(what: string, times: number, act: (n: number) => Promise<void>): Promise<void> {
  for (let n = 0; n < times / 10; n += 1) await act(n);
  const before = await held();
  for (let n = 0; n < times; n += 1) await act(n);
  const after = await heldWithin(before);
  report(what, { times, heapKb: Math.round((after.heapBytes - before.heapBytes) / 1_024) });
  expect(after.heapBytes - before.heapBytes).toBeLessThan(HEAP_MAY_GROW);
  expect(after.descriptors).toBeLessThanOrEqual(before.descriptors);
  expect(after.threads).toBeLessThanOrEqual(before.threads);
}

test('a worker that is started and ended again and again', { timeout: LONG_TIMEOUT_MS }, async () => {
  await leavesNothing('restarts', RESTARTS, async (n) => {
    const thread = await startThread('echo', { incarnation: n + 1, init: 'x' });
    expect(await thread.ready).toEqual({ ok: true });
    await thread.handle.call('add', [1, 2]);
    await (n % 2 === 0 ? thread.kill('a test') : thread.stop(1_000));
  });
});

test('clients that connect and go, politely or not', { timeout: LONG_TIMEOUT_MS }, async () => {
  const server = await testServer();
  const url = `http://127.0.0.1:${server.port}`;
  await leavesNothing('connects', CONNECTS, async (n) => {
    const client = await openReliable({ url, token: VIEW, clientId: `client-${n % 3}` });
    await client.next((frame) => frame.type === 'welcome');
    if (n % 2 === 0) await client.close();
    else client.terminate();
    await client.closed;
  });
  await server.stop();
});

test('calls whose answer comes after their deadline', { timeout: LONG_TIMEOUT_MS }, async () => {
  const thread = await startThread('answers-late');
  await thread.ready;
  let missed = 0;
  await leavesNothing('deadlines', DEADLINES / CALLS_AT_ONCE, async () => {
    const late = Array.from({ length: CALLS_AT_ONCE }, () => thread.handle.call('late', [25], 1));
    for (const result of await Promise.all(late)) missed += result.ok ? 0 : 1;
    // Answered in their order: once this is, those are.
    expect(await thread.handle.call('late', [30])).toEqual({ ok: true, value: 'late' });
  });
  // On a machine that is busy a deadline can be as late as its answer.
  expect(missed).toBeGreaterThan(0.5 * DEADLINES);
  expect(await thread.stop(15_000)).toEqual({ kind: 'stopped' });
});
