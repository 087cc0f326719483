/** One incarnation in a real thread: start, messages, calls, ends, signs of life. Fixtures are named by behaviour. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { MAX_UNPROCESSED } from '../../src/runtime/mailbox.ts';
import { MAX_OUTSTANDING_CALLS, MAX_OVERDUE_CALLS } from '../../src/runtime/outstanding-calls.ts';
import { PoisonRegister, type Sent } from '../../src/runtime/poison.ts';
import { bundleWorker, removeBundles } from '../helpers/bundle.ts';
import { endThreads, startThread } from './threads.ts';

afterEach(endThreads);
afterAll(removeBundles);

describe('start', () => {
  test('an actor is ready when its start has settled; what it said before is heard first', async () => {
    const thread = await startThread('echo', { init: 'hello' });
    expect(await thread.ready).toEqual({ ok: true });
    expect(thread.heard).toEqual(['init hello']);
    expect(thread.handle).toMatchObject({ id: 'echo', incarnation: 1 });
  });

  test('what is sent before it is ready waits, in order', async () => {
    const thread = await startThread('echo', { init: 'x' });
    for (const message of ['a', 'b', 'c']) thread.handle.post(message);
    expect(await thread.handle.call('received', [])).toEqual({ ok: true, value: 3 });
    expect(thread.heard).toEqual(['init x', 'a', 'b', 'c']);
  });

  test('crash-on-start: never ready, with the error and its cause', async () => {
    const thread = await startThread('crash-on-start');
    const exit = { kind: 'never_ready', message: 'no table', cause: 'no leg' };
    expect(await thread.ready).toEqual({ ok: false, exit });
    expect(await thread.exited).toEqual(exit);
  });

  test('never-ready: killed at the deadline', async () => {
    const thread = await startThread('never-ready', { readyTimeoutMs: 200 });
    const exit = { kind: 'never_ready', message: 'not ready after 200 ms' };
    expect(await thread.ready).toEqual({ ok: false, exit });
    expect(await thread.exited).toEqual(exit);
  });

  test('a file that is not there is a start that failed', async () => {
    const thread = await startThread('echo', { file: new URL('file:///nowhere/echo.mjs') });
    expect(await thread.exited).toMatchObject({ kind: 'never_ready' });
  });
});

describe('messages', () => {
  test('floods-mailbox: 20,000 messages arrive whole, in order, up to the last before the end', async () => {
    const thread = await startThread('floods-mailbox', { init: 10_000 });
    await thread.ready;
    expect(await thread.stop(15_000)).toEqual({ kind: 'stopped' });
    const counted = Array.from({ length: 10_000 }, (_, index) => index + 1);
    expect(thread.heard).toEqual([...counted, ...counted]);
  });

  test('an actor that lets events pile up to the limit is replaced: none is dropped silently', async () => {
    const thread = await startThread('busy-loop');
    await thread.ready;
    thread.handle.post('spin');
    await thread.hears('spinning');
    for (let n = 0; n < MAX_UNPROCESSED; n += 1) thread.handle.post(n);
    expect(await thread.exited).toEqual({ kind: 'killed', reason: 'its mailbox is full' });
  });

  test('at the limit state messages coalesce: the newest arrives, nothing is killed', async () => {
    const thread = await startThread('slow-reader', { coalesceKey: () => 'state' });
    await thread.ready;
    const newest = MAX_UNPROCESSED * 3;
    for (let n = 1; n <= newest; n += 1) thread.handle.post(n);
    await thread.hears(newest);
    expect(thread.heard.slice(0, MAX_UNPROCESSED)).toEqual(
      Array.from({ length: MAX_UNPROCESSED }, (_, index) => index + 1),
    );
    expect(thread.heard.length).toBeLessThan(newest);
  });
});

describe('calls', () => {
  test('settle on value', async () => {
    const thread = await startThread('echo', { init: 'x' });
    expect(await thread.handle.call('add', [2, 3])).toEqual({ ok: true, value: 5 });
  });

  test('an answer never overtakes what was posted before it, in neither direction', async () => {
    const thread = await startThread('echo', { init: 'x' });
    await thread.ready;
    for (let n = 1; n <= 500; n += 1) {
      thread.handle.post(`p${n}`);
      expect(await thread.handle.call('received', [])).toEqual({ ok: true, value: n });
      await thread.handle.call('postThenAnswer', [`q${n}`]);
      expect(thread.heard.at(-1)).toBe(`q${n}`);
    }
  });

  test('an error crosses as data with its causes, and the actor lives on', async () => {
    const thread = await startThread('echo', { init: 'x' });
    expect(await thread.handle.call('fail', [])).toEqual({
      ok: false,
      failure: { kind: 'threw', message: 'outer', cause: 'middle: inner' },
    });
    expect(await thread.handle.call('add', [1, 1])).toEqual({ ok: true, value: 2 });
  });

  test.each([
    ['a call that does not exist', 'nope', []],
    ['a call by the name of an inherited property', 'toString', []],
    ['a value that cannot be cloned', 'unclonable', []],
    ['an argument that cannot be cloned', 'add', [() => {}]],
  ])('%s is a failure, not a hang', async (_title, name, args) => {
    const thread = await startThread('echo', { init: 'x' });
    expect(await thread.handle.call(name, args)).toMatchObject({ ok: false, failure: { kind: 'threw' } });
  });

  test('settle on their deadline', async () => {
    const thread = await startThread('echo', { init: 'x' });
    await thread.ready;
    expect(await thread.handle.call('never', [], 20)).toEqual({
      ok: false,
      failure: { kind: 'deadline', afterMs: 20 },
    });
  });

  test.each([
    ['crashes', 'crash-on-message', 'crash', 'crashed: boom: fuse'],
    ['ends', 'exits-clean', 'end', 'ended by itself with code 0'],
  ])('settle when the actor %s', async (_title, fixture, message, reason) => {
    const thread = await startThread(fixture);
    await thread.ready;
    thread.handle.post(message);
    const down = { ok: false, failure: { kind: 'down', reason } };
    expect(await thread.handle.call('anything', [])).toEqual(down);
  });

  test('settle when the actor is killed, and at once when it is dead', async () => {
    const thread = await startThread('echo', { init: 'x' });
    await thread.ready;
    const call = thread.handle.call('never', []);
    void thread.kill('enough');
    const down = { ok: false, failure: { kind: 'down', reason: 'enough' } };
    expect(await call).toEqual(down);
    expect(await thread.handle.call('add', [1, 1])).toEqual(down);
  });

  test('more than the limit at once are refused as busy', async () => {
    const thread = await startThread('echo', { init: 'x' });
    await thread.ready;
    const calls = Array.from({ length: MAX_OUTSTANDING_CALLS }, () => thread.handle.call('never', []));
    expect(await thread.handle.call('add', [1, 1])).toEqual({
      ok: false,
      failure: { kind: 'refused', reason: 'busy' },
    });
    void thread.kill('enough');
    for (const call of calls) expect(await call).toMatchObject({ failure: { kind: 'down' } });
  });

  test('an actor that beats but leaves its calls unanswered is replaced', async () => {
    const thread = await startThread('echo', { init: 'x' });
    await thread.ready;
    await Promise.all(Array.from({ length: MAX_OVERDUE_CALLS }, () => thread.handle.call('never', [], 1)));
    expect(await thread.handle.call('add', [1, 1])).toMatchObject({ failure: { kind: 'down' } });
    expect(await thread.exited).toEqual({ kind: 'killed', reason: 'it does not answer its calls' });
  });
});

describe('ends', () => {
  test('a stop lets the actor work off what was sent before it, and say its last words', async () => {
    const thread = await startThread('echo', { init: 'x' });
    for (const message of ['a', 'b']) thread.handle.post(message);
    expect(await thread.stop(15_000)).toEqual({ kind: 'stopped' });
    expect(thread.heard).toEqual(['init x', 'a', 'b', 'bye']);
  });

  test('ignores-shutdown: killed when its time is over', async () => {
    const thread = await startThread('ignores-shutdown');
    await thread.ready;
    expect(await thread.stop(100)).toEqual({ kind: 'killed', reason: 'did not stop within 100 ms' });
  });

  test('a second stop joins the first; what is posted afterwards goes nowhere', async () => {
    const thread = await startThread('echo', { init: 'x' });
    await thread.ready;
    const stops = [thread.stop(15_000), thread.stop(1)];
    thread.handle.post('late');
    expect(await thread.handle.call('add', [1, 1])).toMatchObject({ failure: { kind: 'down' } });
    expect(await Promise.all(stops)).toEqual([{ kind: 'stopped' }, { kind: 'stopped' }]);
    expect(thread.heard).not.toContain('late');
  });

  test('crash-on-message: the error with its cause; what it said before is heard', async () => {
    const thread = await startThread('crash-on-message');
    thread.handle.post('crash');
    expect(await thread.exited).toEqual({ kind: 'crashed', message: 'boom', cause: 'fuse' });
    expect(thread.heard).toEqual(['last words']);
  });

  test('exits-clean: an end that nobody asked for is not a stop', async () => {
    const thread = await startThread('exits-clean');
    await thread.ready;
    thread.handle.post('end');
    expect(await thread.exited).toEqual({ kind: 'ended', code: 0 });
  });

  test('out-of-memory: the thread dies of its own heap limit, the process does not', async () => {
    const thread = await startThread('out-of-memory', { resourceLimits: { maxOldGenerationSizeMb: 16 } });
    await thread.ready;
    thread.handle.post('go');
    expect(await thread.exited).toMatchObject({ kind: 'out_of_memory' });
  });

  test.each([
    ['busy-loop', 'spin', 'spinning'],
    ['catastrophic-regex', `${'a'.repeat(60)}!`, 'matching'],
  ])('%s: its beat stays out, and a kill ends it', async (fixture, message, sign) => {
    const thread = await startThread(fixture);
    await thread.ready;
    expect(thread.lastBeatAgoMs()).toBeLessThan(10_000);
    thread.handle.post(message);
    await thread.hears(sign);
    expect(await thread.kill('no heartbeat')).toEqual({ kind: 'killed', reason: 'no heartbeat' });
  });

  describe('native-block', () => {
    let dir = '';
    let pipe = -1;
    beforeEach(async () => {
      dir = await mkdtemp(join(tmpdir(), 'playwarden-native-'));
      execFileSync('mkfifo', [join(dir, 'pipe')]);
      pipe = openSync(join(dir, 'pipe'), 'r+');
    });
    afterEach(async () => {
      closeSync(pipe);
      await rm(dir, { recursive: true });
    });

    async function blockedThread(abandonAfterMs?: number) {
      const thread = await startThread('native-block', abandonAfterMs ? { abandonAfterMs } : {});
      await thread.ready;
      thread.handle.post(join(dir, 'pipe'));
      await vi.waitFor(() => expect(thread.lastBeatAgoMs()).toBeGreaterThan(1_200), { timeout: 15_000 });
      return thread;
    }

    test('given up on when even terminate() cannot end it; it is not heard any more', async () => {
      const thread = await blockedThread(500);
      expect(await thread.kill('no heartbeat')).toEqual({ kind: 'abandoned', reason: 'no heartbeat' });
      writeSync(pipe, '!');
      expect(thread.heard).toEqual(['blocking']);
    });

    test('ended like any other when the call returns in time', async () => {
      const thread = await blockedThread();
      const killed = thread.kill('no heartbeat');
      writeSync(pipe, '!');
      expect(await killed).toEqual({ kind: 'killed', reason: 'no heartbeat' });
      expect(thread.heard).toEqual(['blocking']);
    });
  });
});

describe('signs of life', () => {
  test('the age of the last work and what is overdue are the actor’s own word', async () => {
    const thread = await startThread('echo', { init: 'x' });
    await thread.ready;
    expect(thread.overdueMs()).toBe(0);
    await thread.handle.call('work', [60_000]);
    expect(thread.lastWorkAgoMs()).toBeLessThan(10_000);
    expect(thread.overdueMs()).toBe(0);
    await thread.handle.call('work', [-5_000]);
    expect(thread.overdueMs()).toBeGreaterThanOrEqual(4_999);
  });

  test('a main thread that is stuck for 10 s ends its process: SIGKILL', async () => {
    const [program, worker] = await Promise.all([
      bundleWorker('fixtures/stuck-main.ts'),
      bundleWorker('fixtures/workers/echo.ts'),
    ]);
    const child = spawn(process.execPath, [fileURLToPath(program), worker.href], { stdio: 'ignore' });
    const [code, signal] = await once(child, 'exit');
    expect([code, signal]).toEqual([null, 'SIGKILL']);
  });
});

describe('poison', () => {
  test.each([
    ['message', { message: 'crash now' }],
    ['call', { call: 'exit', args: ['now'] }],
  ] as [string, Sent][])(
    'a %s that has killed twice gets no third try and is reported',
    async (_title, sent) => {
      const setAside: Sent[] = [];
      const poison = new PoisonRegister(
        (what) => setAside.push(what),
        () => 0,
      );
      for (const incarnation of [1, 2, 3]) {
        const thread = await startThread('crash-on-message', { incarnation, poison });
        await thread.ready;
        if ('message' in sent) thread.handle.post(sent.message);
        else void thread.handle.call(sent.call, sent.args as unknown[]);
        if (incarnation < 3) {
          await thread.exited;
          expect(setAside).toEqual([]);
          continue;
        }
        thread.handle.post('fine');
        await thread.hears('fine');
        expect(setAside).toEqual([sent]);
      }
    },
  );

  test('a message that merely waited while its actor crashed is not accused', async () => {
    const setAside: Sent[] = [];
    const poison = new PoisonRegister(
      (what) => setAside.push(what),
      () => 0,
    );
    for (const incarnation of [1, 2]) {
      const thread = await startThread('crash-on-message', { incarnation, poison });
      thread.handle.post('crash');
      thread.handle.post('innocent');
      await thread.exited;
      const later = await startThread('crash-on-message', { poison });
      await later.handle.call('crashLater', []);
      await later.exited;
    }
    expect(poison.admits({ message: 'innocent' })).toBe(true);
    expect(poison.admits({ call: 'crashLater', args: [] })).toBe(true);
    expect(poison.admits({ message: 'crash' })).toBe(false);
  });

  test('a hang is held against the message it hangs in', async () => {
    const poison = new PoisonRegister(
      () => {},
      () => 0,
    );
    for (const incarnation of [1, 2]) {
      const thread = await startThread('busy-loop', { incarnation, poison });
      thread.handle.post('spin');
      await thread.hears('spinning');
      await thread.kill('no heartbeat');
    }
    expect(poison.admits({ message: 'spin' })).toBe(false);
  });
});
