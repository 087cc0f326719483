/** Where the polling source looks, and where it does not, over a /proc that the test plays. */
import { describe, expect, test } from 'vitest';
import type { Look } from '../../../src/actors/scanner/behavior.ts';
import type { ProcReader } from '../../../src/actors/scanner/proc.ts';
import { ProcfsSource } from '../../../src/actors/scanner/sources/procfs.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';
import { Watch } from './harness.ts';

const TICK_MS = 20;
const PID_MAX = 32_768;

/** A /proc whose processes are games, others, or threads of others. */
class Proc {
  readonly clock = new FakeClock();
  readonly running = new Map<number, { key: string; is: 'game' | 'other' | 'thread'; parent?: number }>();
  newest = 1_000;
  looked: number[] = [];
  lists = 0;
  failing = false;
  /** What happens while /proc is listed. */
  onList = () => {};
  #births = 0;

  constructor() {
    for (let pid = 1; pid <= 300; pid++) this.run(pid, 'other');
  }

  run(pid: number, is: 'game' | 'other' | 'thread', parent = 1): void {
    this.#births += 1;
    this.running.set(pid, { key: `k${this.#births}`, is, parent });
  }

  /** A new process under the next pid, over the wrap if need be. */
  fork(is: 'game' | 'other' | 'thread', parent?: number): number {
    do this.newest = this.newest + 1 < PID_MAX ? this.newest + 1 : 300;
    while (this.running.has(this.newest));
    this.run(this.newest, is, parent);
    return this.newest;
  }

  watch(): Promise<Watch> {
    const none = () => {
      throw new Error('not here');
    };
    return Watch.start({
      games: [],
      clock: this.clock,
      source: 'procfs',
      factories: {
        toolhelp: none,
        'ps-list': none,
        'proc-events': none,
        procfs: (context) => new ProcfsSource({ context, reader: this.#reader(), pidMax: PID_MAX }),
      },
    });
  }

  #reader(): ProcReader {
    return {
      look: (pid, watched) => {
        this.looked.push(pid);
        return this.#look(pid, watched);
      },
      afterExit: () => ({ is: 'ended', successor: null }),
      isThread: (pid) => this.running.get(pid)?.is === 'thread',
      pids: () => {
        this.lists += 1;
        this.onList();
        return [...this.running.keys()].filter((pid) => this.running.get(pid)?.is !== 'thread');
      },
      newestPid: () => {
        if (this.failing) throw new Error('/proc cannot be read');
        return this.newest;
      },
    };
  }

  #look(pid: number, watched: boolean): Look {
    const one = this.running.get(pid);
    if (!one) return { is: 'gone' };
    if (one.is === 'other') return { is: 'other', startKey: watched ? one.key : null };
    const process = {
      pid,
      startKey: one.key,
      game: 'roblox',
      name: 'x',
      path: '/x',
      command: 'x',
      user: 'kid',
      startedAwakeMs: 1,
    };
    return { is: 'game', sighting: { process, parentPid: one.parent ?? 1 } };
  }
}

describe('procfs', () => {
  test('a quiet tick looks at nothing, however many processes there are', async () => {
    const proc = new Proc();
    const watch = await proc.watch();
    proc.looked = [];
    proc.lists = 0;
    proc.clock.advance(100 * TICK_MS);
    expect(proc.looked).toEqual([]);
    expect(proc.lists).toBe(0);
    await watch.stop();
    expect(proc.clock.pendingTimers).toBe(0);
  });

  test('only the pids since the last tick are looked at, and again while they are young', async () => {
    const proc = new Proc();
    const watch = await proc.watch();
    proc.fork('other');
    const shell = proc.fork('other');
    proc.looked = [];
    proc.clock.advance(TICK_MS);
    expect(proc.looked).toEqual([1_001, 1_002]);
    proc.running.set(shell, { key: 'k', is: 'game' });
    proc.clock.advance(TICK_MS);
    expect(watch.history(shell)).toEqual(['started:roblox']);
    proc.clock.advance(3_000);
    proc.looked = [];
    proc.clock.advance(TICK_MS);
    expect(proc.looked).toEqual([shell]);
    await watch.stop();
  });

  test('an exec long after the fork is found by the reconcile', async () => {
    const proc = new Proc();
    const watch = await proc.watch();
    proc.running.set(7, { key: 'k', is: 'game' });
    proc.clock.advance(5_100);
    expect(watch.history(7)).toEqual(['started:roblox']);
    await watch.stop();
  });

  test('pids wrap', async () => {
    const proc = new Proc();
    proc.newest = PID_MAX - 3;
    const watch = await proc.watch();
    const pids = [proc.fork('game'), proc.fork('game'), proc.fork('game')];
    proc.looked = [];
    proc.clock.advance(2 * TICK_MS);
    expect(pids).toEqual([PID_MAX - 2, PID_MAX - 1, 301]);
    expect(watch.history()).toHaveLength(3);
    expect(proc.looked.length).toBeLessThan(10);
    await watch.stop();
  });

  test('a storm between two ticks is listed once instead of tried pid by pid', async () => {
    const proc = new Proc();
    const watch = await proc.watch();
    for (let i = 0; i < 400; i++) proc.fork('other');
    const game = proc.fork('game');
    proc.lists = 0;
    proc.clock.advance(TICK_MS);
    expect(proc.lists).toBe(1);
    expect(watch.history(game)).toEqual(['started:roblox']);
    await watch.stop();
  });

  test('threads are no processes', async () => {
    const proc = new Proc();
    const watch = await proc.watch();
    const game = proc.fork('game');
    proc.fork('thread');
    proc.clock.advance(TICK_MS);
    expect(watch.history()).toEqual(['started:roblox']);
    expect(watch.history(game)).toHaveLength(1);
    await watch.stop();
  });

  test('a game that starts a helper through two forks is seen twice in between, and told once', async () => {
    const proc = new Proc();
    const watch = await proc.watch();
    const game = proc.fork('game');
    proc.clock.advance(TICK_MS);
    const helper = proc.fork('game');
    proc.clock.advance(TICK_MS);
    proc.running.set(helper, { key: 'k', is: 'other' });
    proc.clock.advance(TICK_MS);
    expect(watch.history()).toEqual(['started:roblox']);
    // A second one of the same kind stays what it is, and is told.
    const second = proc.fork('game');
    proc.clock.advance(2 * TICK_MS);
    expect(watch.history(second)).toEqual(['started:roblox']);
    expect(watch.history(game)).toEqual(['started:roblox']);
    await watch.stop();
  });

  test('a second game that its launcher starts is told by the first tick', async () => {
    const proc = new Proc();
    const watch = await proc.watch();
    const launcher = proc.fork('other');
    proc.fork('game', launcher);
    proc.clock.advance(TICK_MS);
    const second = proc.fork('game', launcher);
    proc.clock.advance(TICK_MS);
    expect(watch.history(second)).toEqual(['started:roblox']);
    await watch.stop();
  });

  test('what starts or ends right before a reconcile is news like any other: nothing was missed', async () => {
    const proc = new Proc();
    const watch = await proc.watch();
    const lists = proc.lists;
    const advance = () => {
      while (proc.lists === lists) proc.clock.advance(1);
    };
    const ended = proc.fork('game');
    proc.clock.advance(5_000 - TICK_MS);
    expect(watch.history(ended)).toEqual(['started:roblox']);
    proc.running.delete(ended);
    const before = proc.fork('game');
    proc.onList = () => void proc.fork('game');
    advance();
    const during = proc.newest;
    proc.clock.advance(2 * TICK_MS);
    expect(watch.history(ended)).toHaveLength(2);
    expect([before, during].map((pid) => watch.history(pid))).toEqual([
      ['started:roblox'],
      ['started:roblox'],
    ]);
    expect(watch.calls.stats().missed).toBe(0);
    await watch.stop();
  });

  test('only what no tick could tell counts as missed', async () => {
    const proc = new Proc();
    const watch = await proc.watch();
    proc.running.set(7, { key: 'k', is: 'game' });
    proc.clock.advance(5_100);
    expect(watch.calls.stats().missed).toBe(1);
    await watch.stop();
  });

  test('what was forked before new rules came is looked at after them too', async () => {
    const proc = new Proc();
    const watch = await proc.watch();
    const shell = proc.fork('other');
    await watch.look();
    proc.running.set(shell, { key: 'k', is: 'game' });
    proc.clock.advance(TICK_MS);
    expect(watch.history(shell)).toEqual(['started:roblox']);
    await watch.stop();
  });

  test('a reload changes how often it looks', async () => {
    const proc = new Proc();
    const watch = await proc.watch();
    await watch.calls.configure({
      games: [],
      detection: { source: 'procfs', poll_interval_ms: 10 * TICK_MS, reconcile_seconds: 5 },
    });
    proc.clock.advance(TICK_MS);
    const pid = proc.fork('game');
    proc.clock.advance(9 * TICK_MS);
    expect(watch.history(pid)).toEqual([]);
    proc.clock.advance(TICK_MS);
    expect(watch.history(pid)).toEqual(['started:roblox']);
    await watch.stop();
    expect(proc.clock.pendingTimers).toBe(0);
  });

  test('a tracked pid that changes hands is noticed at the next tick', async () => {
    const proc = new Proc();
    const watch = await proc.watch();
    const pid = proc.fork('game');
    proc.clock.advance(TICK_MS);
    proc.run(pid, 'game');
    proc.clock.advance(TICK_MS);
    expect(watch.history(pid)).toEqual(['started:roblox', 'stopped:gone', 'started:roblox']);
    expect(watch.of('process.stopped')[0]?.endedAwakeMs).not.toBeNull();
    await watch.stop();
  });

  test('E3 a look that fails ends nothing', async () => {
    const proc = new Proc();
    const watch = await proc.watch();
    const pid = proc.fork('game');
    proc.clock.advance(TICK_MS);
    proc.failing = true;
    proc.clock.advance(20_000);
    expect(watch.history(pid)).toEqual(['started:roblox']);
    expect(watch.of('scan.unknown')).toMatchObject([{ reason: '/proc cannot be read' }]);
    await watch.stop();
  });
});
