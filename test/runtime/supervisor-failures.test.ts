/** The supervisor when children fail again and again, hang, or fail in each other's recovery. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RESTART_LIMITS } from '../../src/runtime/restart-rule.ts';
import { CRASH, crashes, running, settled, type World, world } from './fake-children.ts';

describe('crash loops', () => {
  test('the sixth crash within 30 s parks the child; the others run on (safe mode)', async () => {
    const w = await running('one_for_one');
    await crashes(w, 'b', 6);
    expect(w.states()).toEqual({ a: 'running', b: 'parked', c: 'running' });
    expect(w.reports.at(-1)).toEqual({
      supervisor: 'test',
      child: 'b',
      kind: 'parked',
      reason: 'failed after 5 restarts within 30 s',
      incarnation: 6,
      retryInMs: RESTART_LIMITS.parkMs,
    });
  });

  test('a parked child is tried again after each rest', async () => {
    const w = await running('one_for_one');
    await crashes(w, 'b', 6);
    w.children.b!.start = 'fails';
    w.diary();
    await w.pass(RESTART_LIMITS.parkMs - 2_001);
    expect(w.diary()).toEqual([]);
    await w.pass(1);
    expect(w.diary()).toEqual(['start b#7']);
    expect(w.states().b).toBe('parked');
    w.children.b!.start = 'ready';
    await w.pass(RESTART_LIMITS.parkMs);
    expect(w.diary()).toEqual(['start b#8']);
    expect(w.states().b).toBe('running');
  });

  test('three starts in a row that never became ready park it too', async () => {
    const w = world('one_for_one');
    w.children.a!.start = 'fails';
    await w.supervisor.start();
    await w.pass(100);
    expect(w.states().a).toBe('restarting');
    await w.pass(200);
    expect(w.states().a).toBe('parked');
    expect(w.reports.at(-1)).toMatchObject({
      kind: 'parked',
      reason: '3 starts in a row never became ready',
    });
  });

  test('a child that must not rest gives up, once', async () => {
    const w = await running('one_for_one', { c: { onCrashLoop: 'give_up' } });
    await crashes(w, 'c', 6);
    expect(w.gaveUp).toEqual(['c: failed after 5 restarts within 30 s']);
    expect(w.states().c).toBe('stopped');
    w.diary();
    await w.pass(RESTART_LIMITS.parkMs * 2);
    expect(w.diary()).toEqual([]);
    expect(w.gaveUp).toHaveLength(1);
  });

  test('rest_for_one: those after a parked child wait with it and come back with it', async () => {
    const w = await running('rest_for_one');
    await crashes(w, 'b', 6);
    expect(w.states()).toEqual({ a: 'running', b: 'parked', c: 'restarting' });
    await w.pass(RESTART_LIMITS.parkMs);
    expect(w.states()).toEqual({ a: 'running', b: 'running', c: 'running' });
  });

  test('each restart is told with its delay: doubled each time', async () => {
    const w = await running('one_for_one');
    await crashes(w, 'a', 5);
    const delays = w.reports.filter((r) => r.kind === 'restarting').map((r) => r.retryInMs);
    expect(delays).toEqual([100, 200, 400, 800, 1_600]);
  });

  test('one child’s crashes do not count against another', async () => {
    const w = await running('one_for_one');
    for (const id of ['a', 'b', 'c', 'a', 'b', 'c', 'a', 'b', 'c']) await crashes(w, id, 1);
    expect(w.states()).toEqual({ a: 'running', b: 'running', c: 'running' });
  });
});

describe('hangs', () => {
  /** Lets a second pass, so often; the children named beat, the others fall silent. */
  async function seconds(w: World, count: number, ...beating: string[]): Promise<void> {
    for (let n = 0; n < count * 10; n += 1) {
      for (const child of Object.values(w.children)) {
        if (child.beatAgoMs === null) continue;
        child.beatAgoMs = beating.includes(child.id)
          ? (child.beatAgoMs + 100) % 1_000
          : child.beatAgoMs + 100;
      }
      await w.pass(100);
    }
  }
  async function beating(): Promise<World> {
    const w = world('one_for_one');
    for (const id of ['a', 'b']) w.children[id]!.beatAgoMs = 0;
    await w.supervisor.start();
    w.diary();
    return w;
  }

  test('children that beat, and those that have no beat, are let be', async () => {
    const w = await beating();
    await seconds(w, 60, 'a', 'b');
    expect(w.diary()).toEqual([]);
  });

  test('a child without a beat for 2.5 s is killed and replaced, within 3 s in all', async () => {
    const w = await beating();
    await seconds(w, 2, 'a');
    expect(w.diary()).toEqual([]);
    await seconds(w, 1, 'a');
    expect(w.diary()).toEqual(['kill b#1', 'start b#2']);
    expect(w.reports.map((r) => r.kind)).toEqual([
      'started',
      'started',
      'started',
      'hung',
      'exited',
      'restarting',
      'started',
    ]);
    expect(w.reports[3]?.reason).toMatch(/^no heartbeat for \d+ ms$/);
  });

  test('a child that takes its time to die is reported and killed once', async () => {
    const w = await beating();
    w.children.b!.dies = false;
    await seconds(w, 5, 'a');
    expect(w.diary()).toEqual(['kill b#1']);
    expect(w.reports.filter((r) => r.kind === 'hung')).toHaveLength(1);
  });

  test('after a sleep of the machine nobody is judged by the beats it missed', async () => {
    const w = await beating();
    await seconds(w, 1, 'a', 'b');
    for (const id of ['a', 'b']) w.children[id]!.beatAgoMs! += 3_600_000;
    w.clock.sleep(3_600_000);
    await w.pass(0);
    for (const id of ['a', 'b']) w.children[id]!.beatAgoMs = 0;
    await seconds(w, 10, 'a', 'b');
    expect(w.diary()).toEqual([]);
  });

  test('a child that does not wake from a sleep of the machine is replaced after a fresh grace', async () => {
    const w = await beating();
    for (const id of ['a', 'b']) w.children[id]!.beatAgoMs! += 3_600_000;
    w.clock.sleep(3_600_000);
    w.children.a!.beatAgoMs = 0;
    await seconds(w, 2, 'a');
    expect(w.diary()).toEqual([]);
    await seconds(w, 1, 'a');
    expect(w.diary()).toEqual(['kill b#1', 'start b#2']);
  });

  test('the state tells the ages, of running children only', async () => {
    const w = await beating();
    w.children.a!.beatAgoMs = 412;
    expect(w.supervisor.state()).toEqual({
      a: { state: 'running', restarts: 0, last_beat_ms_ago: 412, last_work_ms_ago: 7 },
      b: { state: 'running', restarts: 0, last_beat_ms_ago: 0, last_work_ms_ago: 7 },
      c: { state: 'running', restarts: 0, last_beat_ms_ago: null, last_work_ms_ago: null },
    });
    w.children.a!.exits(CRASH);
    await settled();
    expect(w.supervisor.state().a).toEqual({
      state: 'restarting',
      restarts: 0,
      last_beat_ms_ago: null,
      last_work_ms_ago: null,
    });
  });
});

test('a listener that throws does not keep a child from its restart', async () => {
  const thrown: unknown[] = [];
  const catcher = (error: unknown) => thrown.push(error);
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', catcher);
  try {
    const w = world(
      'one_for_one',
      {},
      {
        onReport: (report) => {
          if (report.kind === 'exited') throw new Error('full disk');
        },
      },
    );
    await w.supervisor.start();
    w.children.a!.exits(CRASH);
    await settled();
    await w.pass(100);
    expect(w.states().a).toBe('running');
    expect(thrown).toEqual([new Error('full disk')]);
  } finally {
    process.off('uncaughtException', catcher);
    for (const listener of others) process.on('uncaughtException', listener);
  }
});

test('rest_for_one: a child that ends as soon as it is up, in the midst of a recovery, gets its dependents once', async () => {
  const w = await running('rest_for_one');
  w.children.b!.start = 'waits';
  w.children.a!.exits(CRASH);
  await w.pass(100);
  w.diary();
  w.children.b!.start = 'ready';
  w.children.b!.goOn();
  w.children.b!.exits(CRASH);
  await Promise.resolve().then(() => w.children.b!.exits(CRASH));
  await w.pass(1_000);
  expect(w.states()).toEqual({ a: 'running', b: 'running', c: 'running' });
  expect(w.children.c!.alive).toBe(1);
  expect(w.diary()).toEqual(['start b#3', 'start c#2']);
});

test('whatever happens: one incarnation of a child at a time, all up again at the end, none left after the stop', async () => {
  const step = fc.record({
    id: fc.constantFrom('a', 'b', 'c'),
    what: fc.constantFrom('crash', 'start fails', 'start waits', 'stop waits', 'stop fails', 'well', 'go on'),
    passMs: fc.nat(400),
  });
  const patient = { ...RESTART_LIMITS, maxRestarts: 1_000, maxNeverReady: 1_000, maxDelayMs: 200 };
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('one_for_one', 'rest_for_one'),
      fc.array(step, { maxLength: 30 }),
      async (strategy, steps) => {
        const w = await running(strategy, {}, { limits: patient });
        const one = () => {
          for (const child of Object.values(w.children)) expect(child.alive).toBeLessThanOrEqual(1);
        };
        for (const { id, what, passMs } of steps) {
          const child = w.children[id]!;
          if (what === 'crash') child.exits(CRASH);
          else if (what === 'go on') child.goOn();
          else if (what === 'start fails') child.start = 'fails';
          else if (what === 'start waits') child.start = 'waits';
          else if (what === 'stop waits') child.stop = 'waits';
          else if (what === 'stop fails') child.stop = 'fails';
          else child.start = 'ready';
          await settled();
          await w.pass(passMs);
          one();
        }
        for (const child of Object.values(w.children)) {
          child.start = 'ready';
          child.stop = 'stops';
        }
        for (let n = 0; n < 12; n += 1) {
          for (const child of Object.values(w.children)) child.goOn();
          await w.pass(1_000);
          one();
        }
        expect(w.states()).toEqual({ a: 'running', b: 'running', c: 'running' });
        await w.supervisor.stop();
        expect(Object.values(w.children).map((child) => child.alive)).toEqual([0, 0, 0]);
        expect(w.clock.pendingTimers).toBe(0);
      },
    ),
    { numRuns: 150 },
  );
});
