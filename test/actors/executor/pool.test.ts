/** The pool: every close settles with a report, whatever its thread does. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { loadLinuxControl } from '../../../src/actors/executor/platform/linux.ts';
import { createExecutor, type Executor } from '../../../src/actors/executor/pool.ts';
import type { CloseTask } from '../../../src/protocol/messages.ts';
import { workerFile } from '../../../src/runtime/worker-file.ts';
import { bundleWorker, removeBundles } from '../../helpers/bundle.ts';

const running: Executor[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((executor) => executor.stop()));
});
afterAll(removeBundles);

function executor(file: URL, slackMs?: number): Executor {
  const made = createExecutor({ file, ...(slackMs !== undefined && { slackMs }) });
  running.push(made);
  return made;
}

function task(over: Partial<CloseTask> = {}): CloseTask {
  const target = { pid: 99_999_999, startKey: 'x:1', name: 'pw-test-game', path: null, command: null };
  return { target, waitMs: 0, ownPids: [process.pid], ...over };
}

// The deadline is waitMs + 3 s + slack: a negative slack makes it short.
const SHORT = -2_500;

const pids = (count: number) =>
  Array.from({ length: count }, (_, i) => task({ target: { ...task().target, pid: 90_000_000 + i } }));

describe('the executor', () => {
  it('has no thread until something is to be closed', () => {
    expect(executor(workerFile('executor')).state()).toEqual({ threads: 0, queued: 0, running: 0 });
  });

  it.runIf(process.platform === 'linux')('K4: closes a real process in a thread', async () => {
    const child = spawn('/bin/sleep', ['61'], { stdio: 'ignore' });
    await once(child, 'spawn');
    const pid = child.pid!;
    const seen = (await loadLinuxControl()).look(pid)!;
    const { startKey, path, command } = seen;
    const target = { pid, startKey, name: 'sleep', path, command };
    const pool = executor(workerFile('executor'));
    const report = await pool.close(task({ target, waitMs: 2_000 }));
    expect(report).toMatchObject({ pid, name: 'sleep', outcome: 'closed' });
    expect(pool.state()).toMatchObject({ queued: 0, running: 0 });
  });

  it('a process that is gone is not_running', async () => {
    const report = await executor(workerFile('executor')).close(task());
    expect(report).toMatchObject({ pid: 99_999_999, outcome: 'not_running' });
  });

  it.each([
    ['never answers', 'never-answers.ts', /no answer from the executor within 500 ms/],
    ['is stuck', 'stuck.ts', /no answer from the executor within 500 ms/],
    ['dies', 'dies.ts', /exited|terminat/i],
  ])('a thread that %s is a failed close', async (_what, fixture, why) => {
    const report = await executor(await bundleWorker(`fixtures/executor/${fixture}`), SHORT).close(task());
    expect(report).toMatchObject({ outcome: 'failed', pid: 99_999_999 });
    expect(report.error).toMatch(why);
  });

  it('a thread that stops beating in the midst of a close is ended long before the deadline', async () => {
    const pool = executor(await bundleWorker('fixtures/executor/hangs.ts'), 60_000);
    expect(await pool.close(task())).toMatchObject({ outcome: 'failed', error: 'the executor hung' });
  });

  it('a thread that takes too much memory ends alone: a failed close', async () => {
    const pool = executor(await bundleWorker('fixtures/executor/starves.ts'), 60_000);
    expect(await pool.close(task())).toMatchObject({ outcome: 'failed' });
  });

  it('closes again after a thread was lost', async () => {
    const pool = executor(await bundleWorker('fixtures/executor/dies.ts'), SHORT);
    expect((await pool.close(task())).outcome).toBe('failed');
    expect((await pool.close(task())).outcome).toBe('failed');
    expect(pool.state().running).toBe(0);
  });

  it('a worker file that is missing is a failed close, not an exception', async () => {
    const report = await executor(new URL('file:///no/such/worker.js'), SHORT).close(task());
    expect(report.outcome).toBe('failed');
  });

  it('T6: none of a crowd is refused for their number', async () => {
    const pool = executor(await bundleWorker('fixtures/executor/dies-of-13.ts'));
    const reports = await Promise.all(pids(2_000).map((each) => pool.close(each)));
    expect(reports.filter(({ outcome }) => outcome !== 'closed')).toEqual([]);
    expect(pool.state()).toMatchObject({ queued: 0, running: 0 });
  });

  it('what a thread is given together has its bound in command lines, which are held in its memory', async () => {
    const pool = executor(await bundleWorker('fixtures/executor/dies-of-13.ts'));
    const command = 'x'.repeat(65_536);
    const long = pids(2_000).map((each) => ({ ...each, target: { ...each.target, command } }));
    const reports = await Promise.all(long.map((each) => pool.close(each)));
    const together = reports.map((report) => report.waited_ms);
    expect(Math.max(...together) * command.length).toBeLessThanOrEqual(8_000_000);
    expect(Math.max(...together)).toBeGreaterThan(100);
  });

  it('up to eight closes have a thread each, and more of them share: nobody waits for a game that ignores the asking', async () => {
    const pool = executor(await bundleWorker('fixtures/executor/never-answers.ts'));
    for (const each of pids(60)) void pool.close(each);
    await until(() => pool.state().threads === 8);
    expect(pool.state()).toEqual({ threads: 8, queued: 0, running: 60 });
  });

  it('what waits while all threads are taken goes together to the first that is free', async () => {
    const pool = executor(await bundleWorker('fixtures/executor/never-answers.ts'), SHORT);
    const first = Promise.race(pids(8).map((each) => pool.close(each)));
    await until(() => pool.state().threads === 8);
    const later = Promise.all(pids(30).map((each) => pool.close(each)));
    await until(() => pool.state().queued === 30);
    await first;
    await until(() => pool.state().queued === 0);
    expect(pool.state().running).toBeGreaterThanOrEqual(30);
    expect((await later).map(({ pid }) => pid)).toEqual(pids(30).map(({ target }) => target.pid));
  });

  it('a thread that ends under several closes fails only the one that it ended of', async () => {
    const pool = executor(await bundleWorker('fixtures/executor/dies-of-13.ts'));
    const deadly = task({ target: { ...task().target, pid: 13 } });
    const reports = await Promise.all([...pids(20), deadly, ...pids(20)].map((each) => pool.close(each)));
    expect(reports.filter(({ outcome }) => outcome !== 'closed')).toMatchObject([
      { pid: 13, outcome: 'failed' },
    ]);
    expect(pool.state()).toMatchObject({ queued: 0, running: 0 });
  });

  it('what a thread was given when it ended is shared out anew, not done one by one', async () => {
    const pool = executor(await bundleWorker('fixtures/executor/dies-of-13.ts'));
    const deadly = task({ target: { ...task().target, pid: 13 } });
    const all = [...pids(399), deadly, ...pids(400)];
    const reports = await Promise.all(all.map((each) => pool.close(each)));
    expect(reports.filter(({ outcome }) => outcome !== 'closed')).toMatchObject([
      { pid: 13, outcome: 'failed' },
    ]);
    const together = reports.map((report) => report.waited_ms);
    expect(together.filter((count) => count === 1).length).toBeLessThan(40);
  });

  it('what is under way when it stops is reported as failed', async () => {
    const pool = executor(await bundleWorker('fixtures/executor/never-answers.ts'));
    const report = pool.close(task());
    await until(() => pool.state().threads === 1);
    await pool.stop();
    expect((await report).outcome).toBe('failed');
    expect((await pool.close(task())).outcome).toBe('failed');
  });
});

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}
