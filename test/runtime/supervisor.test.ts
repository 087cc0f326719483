/** The supervisor over fake children on a fake clock: policies, strategies, order, shutdown. */
import { describe, expect, test } from 'vitest';
import type { ExitReason } from '../../src/runtime/actor.ts';
import { CRASH, running, settled, world } from './fake-children.ts';

describe('start and stop', () => {
  test.each(['one_for_one', 'rest_for_one'] as const)(
    '%s: starts in order, stops in reverse',
    async (strategy) => {
      const w = world(strategy);
      await w.supervisor.start();
      expect(w.diary()).toEqual(['start a#1', 'start b#1', 'start c#1']);
      await w.supervisor.stop();
      expect(w.diary()).toEqual(['stop c#1', 'stop b#1', 'stop a#1']);
      expect(w.states()).toEqual({ a: 'stopped', b: 'stopped', c: 'stopped' });
      expect(w.clock.pendingTimers).toBe(0);
    },
  );

  test('each child waits until the one before it is ready', async () => {
    const w = world('one_for_one');
    w.children.b!.start = 'waits';
    const started = w.supervisor.start();
    await settled();
    expect(w.diary()).toEqual(['start a#1', 'start b#1']);
    expect(w.states()).toEqual({ a: 'running', b: 'starting', c: 'starting' });
    w.children.b!.goOn();
    await started;
    expect(w.diary()).toEqual(['start c#1']);
  });

  test('each child stops only when the one after it has stopped', async () => {
    const w = await running('one_for_one');
    w.children.b!.stop = 'waits';
    const stopped = w.supervisor.stop();
    await settled();
    expect(w.diary()).toEqual(['stop c#1', 'stop b#1']);
    w.children.b!.goOn();
    await stopped;
    expect(w.diary()).toEqual(['stop a#1']);
  });

  test.each(['waits', 'fails'] as const)(
    'a stop that %s ends in a kill, and the others still stop',
    async (stop) => {
      const w = await running('one_for_one');
      w.children.b!.stop = stop;
      const stopped = w.supervisor.stop();
      await settled();
      await w.pass(1_000);
      await stopped;
      expect(w.diary()).toEqual(['stop c#1', 'stop b#1', 'kill b#1', 'stop a#1']);
      const reason = stop === 'waits' ? 'it did not stop within 1000 ms' : 'its stop failed: stuck';
      expect(w.reports).toContainEqual({
        supervisor: 'test',
        child: 'b',
        kind: 'stop_failed',
        reason,
        incarnation: 1,
        retryInMs: null,
      });
    },
  );

  test('a stop while a child starts: what was being started is stopped, the rest never starts', async () => {
    const w = world('one_for_one');
    w.children.b!.start = 'waits';
    const started = w.supervisor.start();
    await settled();
    const stopped = w.supervisor.stop();
    await settled();
    w.children.b!.goOn();
    await Promise.all([started, stopped]);
    expect(w.diary()).toEqual(['start a#1', 'start b#1', 'stop b#1', 'stop a#1']);
    expect(Object.values(w.children).map((child) => child.alive)).toEqual([0, 0, 0]);
  });

  test('a stop while a child starts that can be kept from it: it is not waited for', async () => {
    const aborted: string[] = [];
    const w = world('one_for_one', { b: { abort: (reason) => void aborted.push(reason) } });
    w.children.b!.start = 'waits';
    void w.supervisor.start();
    await settled();
    const stopped = w.supervisor.stop();
    expect(aborted).toHaveLength(1);
    w.children.b!.goOn();
    await stopped;
    expect(Object.values(w.children).map((child) => child.alive)).toEqual([0, 0, 0]);
  });

  test('a stop right after the start: nothing is started', async () => {
    const w = world('one_for_one');
    await Promise.all([w.supervisor.start(), w.supervisor.stop()]);
    expect(w.diary()).toEqual([]);
  });

  test('a stop during a backoff: nothing is started any more', async () => {
    const w = await running('one_for_one');
    w.children.a!.exits(CRASH);
    await settled();
    await w.supervisor.stop();
    await w.pass(3_600_000);
    expect(w.diary()).toEqual(['stop c#1', 'stop b#1']);
  });

  test('a child that fails at the first start is tried again while the others start', async () => {
    const w = world('one_for_one');
    w.children.a!.start = 'fails';
    await w.supervisor.start();
    expect(w.states()).toEqual({ a: 'restarting', b: 'running', c: 'running' });
    w.children.a!.start = 'ready';
    await w.pass(100);
    expect(w.states()).toEqual({ a: 'running', b: 'running', c: 'running' });
  });

  test('rest_for_one: children after one that fails at the first start wait for it', async () => {
    const w = world('rest_for_one');
    w.children.b!.start = 'fails';
    await w.supervisor.start();
    expect(w.states()).toEqual({ a: 'running', b: 'restarting', c: 'restarting' });
    w.children.b!.start = 'ready';
    await w.pass(100);
    expect(w.states()).toEqual({ a: 'running', b: 'running', c: 'running' });
    expect(w.diary()).toEqual(['start a#1', 'start b#1', 'start b#2', 'start c#1']);
  });

  test('a child that must not rest and fails at the first start stops what runs; its own error is thrown', async () => {
    const w = world('one_for_one', { b: { onCrashLoop: 'give_up' } });
    w.children.b!.start = 'fails';
    await expect(w.supervisor.start()).rejects.toThrow('b cannot start');
    expect(w.diary()).toEqual(['start a#1', 'start b#1', 'stop a#1']);
    expect(w.clock.pendingTimers).toBe(0);
  });
});

const EXITS: readonly (readonly [name: string, exit: ExitReason, normal: boolean])[] = [
  ['stops', { kind: 'stopped' }, true],
  ['ends with 0', { kind: 'ended', code: 0 }, true],
  ['ends with 3', { kind: 'ended', code: 3 }, false],
  ['crashes', CRASH, false],
  ['runs out of memory', { kind: 'out_of_memory', message: 'heap' }, false],
  ['is killed', { kind: 'killed', reason: 'hang' }, false],
  ['is abandoned', { kind: 'abandoned', reason: 'hang' }, false],
];

describe('a child that goes down', () => {
  const table = (['one_for_one', 'rest_for_one'] as const).flatMap((strategy) =>
    (['permanent', 'transient', 'temporary'] as const).flatMap((restart) =>
      EXITS.map(([name, exit, normal]) => {
        const again = restart === 'permanent' || (restart === 'transient' && !normal);
        return [strategy, restart, name, again ? 'restarted' : 'left', exit] as const;
      }),
    ),
  );
  test.each(table)('%s, %s: one that %s is %s', async (strategy, restart, _name, outcome, exit) => {
    const w = await running(strategy, { b: { restart } });
    w.children.b!.exits(exit);
    await settled();
    const restarted = outcome === 'restarted';
    expect(w.states().b).toBe(restarted ? 'restarting' : 'stopped');
    await w.pass(100);
    const both = ['stop c#1', 'start b#2', 'start c#2'];
    expect(w.diary()).toEqual(restarted ? (strategy === 'rest_for_one' ? both : ['start b#2']) : []);
    expect(w.states()).toEqual({ a: 'running', b: restarted ? 'running' : 'stopped', c: 'running' });
    expect(w.supervisor.state().b?.restarts).toBe(restarted ? 1 : 0);
    expect(w.reports[0]).toMatchObject({ child: 'b', kind: 'exited', incarnation: 1 });
  });
});

describe('rest_for_one', () => {
  test.each([
    ['a', ['stop c#1', 'stop b#1', 'start a#2', 'start b#2', 'start c#2']],
    ['b', ['stop c#1', 'start b#2', 'start c#2']],
    ['c', ['start c#2']],
  ])('when %s goes, those after it go and come with it', async (id, diary) => {
    const w = await running('rest_for_one');
    w.children[id]!.exits(CRASH);
    await settled();
    await w.pass(100);
    expect(w.diary()).toEqual(diary);
  });

  test('nothing is started before all that depends on it has stopped, however long that takes', async () => {
    const w = await running('rest_for_one');
    w.children.b!.stop = 'waits';
    w.children.a!.exits(CRASH);
    await w.pass(500);
    expect(w.diary()).toEqual(['stop c#1', 'stop b#1']);
    w.children.b!.goOn();
    await settled();
    expect(w.diary()).toEqual(['start a#2', 'start b#2', 'start c#2']);
  });

  test('an earlier child that fails during a later one’s recovery takes the recovery over', async () => {
    const w = await running('rest_for_one');
    w.children.b!.exits(CRASH);
    await w.pass(50);
    w.children.a!.exits(CRASH);
    await w.pass(60);
    expect(w.diary()).toEqual(['stop c#1']);
    await w.pass(40);
    expect(w.diary()).toEqual(['start a#2', 'start b#2', 'start c#2']);
  });

  test('and so it does while that recovery waits for a slow stop', async () => {
    const w = await running('rest_for_one');
    w.children.c!.stop = 'waits';
    w.children.b!.exits(CRASH);
    await w.pass(150);
    w.children.a!.exits(CRASH);
    await settled();
    w.children.c!.goOn();
    await settled();
    expect(w.diary()).toEqual(['stop c#1']);
    await w.pass(100);
    expect(w.diary()).toEqual(['start a#2', 'start b#2', 'start c#2']);
  });

  test('one that fails while those after it are being started begins again from there', async () => {
    const w = await running('rest_for_one');
    w.children.c!.start = 'waits';
    w.children.b!.exits(CRASH);
    await w.pass(100);
    expect(w.diary()).toEqual(['stop c#1', 'start b#2', 'start c#2']);
    w.children.b!.exits(CRASH);
    await settled();
    w.children.c!.goOn();
    w.children.c!.start = 'ready';
    await w.pass(200);
    expect(w.diary()).toEqual(['stop c#2', 'start b#3', 'start c#3']);
    expect(w.children.c!.alive).toBe(1);
  });

  test('a temporary child that was left is not brought back by a neighbour', async () => {
    const w = await running('rest_for_one', { c: { restart: 'temporary' } });
    w.children.c!.exits(CRASH);
    await settled();
    w.children.a!.exits(CRASH);
    await w.pass(100);
    expect(w.diary()).toEqual(['stop b#1', 'start a#2', 'start b#2']);
    expect(w.states()).toEqual({ a: 'running', b: 'running', c: 'stopped' });
  });
});
