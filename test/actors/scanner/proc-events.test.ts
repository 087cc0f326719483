/** The connector as a source, over a socket and a /proc that the test plays. */
import { describe, expect, test } from 'vitest';
import type { Look } from '../../../src/actors/scanner/behavior.ts';
import type { EventSocket, Received } from '../../../src/actors/scanner/event-socket.ts';
import {
  PROC_EVENT_EXEC,
  PROC_EVENT_EXIT,
  PROC_EVENT_FORK,
  type ProcEvent,
} from '../../../src/actors/scanner/netlink.ts';
import type { AfterExit, ProcReader } from '../../../src/actors/scanner/proc.ts';
import { ProcEventsSource } from '../../../src/actors/scanner/sources/proc-events.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';
import { Watch } from './harness.ts';

const RECONCILE_MS = 5_000;
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A Linux whose kernel says what the test wants. */
class Linux implements EventSocket {
  readonly clock = new FakeClock();
  readonly games = new Set<number>();
  readonly threads = new Set<number>();
  readonly looked: number[] = [];
  /** Programs that are no games. */
  readonly others: number[] = [1, 2];
  /** Whose child it is; left out: init's. */
  readonly parents = new Map<number, number>();
  /** The kernel's count of what it has given out; null: the highest number there is. */
  newest: number | null = null;
  /** Numbers of threads beside the first, which /proc answers for. */
  readonly tids = new Set<number>();
  /** What the kernel was asked for last. */
  mask = 0;
  onMask: () => void = () => {};
  answers = true;
  lists = 0;
  listable = true;
  open = true;
  /** Events come faster than they are taken. */
  storms = false;
  #queue: Received[] = [];
  #tell: ((received: Received) => void) | null = null;

  async start(): Promise<Watch> {
    const none = () => {
      throw new Error('not here');
    };
    return Watch.start({
      games: [],
      clock: this.clock,
      factories: {
        procfs: none,
        toolhelp: none,
        'ps-list': none,
        'proc-events': (context) =>
          new ProcEventsSource({
            context,
            reader: this.#reader(),
            open: () => this,
          }),
      },
    });
  }

  say(...events: ProcEvent[]): void {
    this.push(...events.map((event): Received => ({ kind: 'event', event })));
  }

  push(...received: Received[]): void {
    this.#queue.push(...received);
    if (!this.#tell) return;
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) this.#tell(next);
  }

  listen(mask?: number): void {
    if (mask === undefined) {
      if (this.answers) this.say({ what: 'answer', error: 0 });
      return;
    }
    this.mask = mask;
    this.onMask();
  }

  take(): Received {
    const none: Received = this.storms ? { kind: 'event', event: null } : { kind: 'empty' };
    return this.#queue.shift() ?? none;
  }

  watch(tell: (received: Received) => void): void {
    this.#tell = tell;
    this.push();
  }

  close(): void {
    this.open = false;
    this.#tell = null;
  }

  #reader(): ProcReader {
    return {
      look: (pid) => {
        this.looked.push(pid);
        return this.#look(pid);
      },
      afterExit: (pid): AfterExit =>
        this.threads.has(pid) ? { is: 'threads' } : { is: 'ended', successor: null },
      isThread: (pid) => this.tids.has(pid),
      pids: () => {
        if (!this.listable) throw new Error('/proc cannot be listed');
        this.lists += 1;
        return [...this.others, ...[...this.games].filter((pid) => !this.tids.has(pid))];
      },
      newestPid: () => this.newest ?? Math.max(...this.others, ...this.games),
    };
  }

  #look(pid: number): Look {
    if (this.others.includes(pid)) return { is: 'other', startKey: 'k' };
    if (!this.games.has(pid)) return { is: 'gone' };
    const process = { pid, startKey: 'k', game: 'roblox', name: 'x', path: '/x', command: 'x', user: 'kid' };
    return {
      is: 'game',
      sighting: { process: { ...process, startedAwakeMs: 1 }, parentPid: this.parents.get(pid) ?? 1 },
    };
  }
}

describe('proc-events', () => {
  test('starts and ends are told by event alone, with the kernel’s stamps', async () => {
    const linux = new Linux();
    const watch = await linux.start();
    linux.games.add(7);
    linux.say({ what: 'exec', pid: 7, atMs: 10.5 }, { what: 'exec', pid: 2, atMs: 11 });
    linux.say({ what: 'exit', pid: 7, leader: true, atMs: 15.25 });
    expect(watch.of('process.started')).toMatchObject([{ process: { pid: 7, startedAwakeMs: 10.5 } }]);
    expect(watch.of('process.stopped')).toMatchObject([{ endedAwakeMs: 15.25, how: 'exit' }]);
    await watch.stop();
    expect(linux.open).toBe(false);
  });

  test('a container, where the kernel does not answer, is found out at once', async () => {
    const linux = new Linux();
    linux.answers = false;
    const started = linux.start();
    const failed = expect(started).rejects.toThrow(/the kernel does not answer/);
    for (let i = 0; i < 60; i++) {
      linux.clock.advance(5);
      await settled();
    }
    await failed;
    expect(linux.open).toBe(false);
  });

  test('E3 a first look that fails is no snapshot of nothing: it does not start', async () => {
    const linux = new Linux();
    linux.listable = false;
    await expect(linux.start()).rejects.toThrow(/\/proc cannot be listed/);
    expect(linux.open).toBe(false);
  });

  test('exits and forks are asked for only while a game runs', async () => {
    const linux = new Linux();
    const watch = await linux.start();
    expect(linux.mask).toBe(PROC_EVENT_EXEC);
    linux.games.add(7);
    linux.say({ what: 'exec', pid: 7, atMs: 10 });
    expect(linux.mask).toBe((PROC_EVENT_FORK | PROC_EVENT_EXEC | PROC_EVENT_EXIT) >>> 0);
    linux.say({ what: 'exit', pid: 7, leader: true, atMs: 15 });
    linux.clock.advance(2);
    expect(linux.mask).toBe(PROC_EVENT_EXEC);
    await watch.stop();
  });

  test('what is told goes first: what fell before the question is looked up after it', async () => {
    const linux = new Linux();
    const watch = await linux.start();
    linux.games.add(7);
    const { length } = linux.looked;
    linux.say({ what: 'exec', pid: 7, atMs: 10 });
    expect(watch.history()).toEqual(['started:roblox']);
    expect(linux.looked.slice(length)).toEqual([7]);
    // A second game in between owes no look of its own, and takes none away.
    linux.games.add(9);
    linux.say({ what: 'exec', pid: 9, atMs: 11 });
    linux.clock.advance(2);
    expect(linux.looked.slice(length)).toEqual([7, 9, 8, 9, 7, 9]);
    await watch.stop();
  });

  test('a game that is over before that look, and the next one, are told by their events', async () => {
    const linux = new Linux();
    const watch = await linux.start();
    linux.games.add(7);
    linux.say({ what: 'exec', pid: 7, atMs: 10 }, { what: 'exit', pid: 7, leader: true, atMs: 10.5 });
    linux.games.delete(7);
    expect(linux.mask).not.toBe(PROC_EVENT_EXEC);
    linux.games.add(8);
    linux.say({ what: 'exec', pid: 8, atMs: 11 });
    linux.clock.advance(2);
    expect(watch.history()).toEqual(['started:roblox', 'stopped:exit', 'started:roblox']);
    expect(linux.mask).not.toBe(PROC_EVENT_EXEC);
    linux.say({ what: 'exit', pid: 8, leader: true, atMs: 15 });
    linux.clock.advance(2);
    expect(linux.mask).toBe(PROC_EVENT_EXEC);
    await watch.stop();
  });

  test('a game that ends before its exit is asked for is told all the same', async () => {
    const linux = new Linux();
    const watch = await linux.start();
    linux.games.add(7);
    linux.onMask = () => linux.games.delete(7);
    linux.say({ what: 'exec', pid: 7, atMs: 10 });
    linux.clock.advance(2);
    expect(watch.history()).toEqual(['started:roblox', 'stopped:gone']);
    expect(linux.mask).toBe(PROC_EVENT_EXEC);
    await watch.stop();
  });

  test('a game that runs already has its exit asked for', async () => {
    const linux = new Linux();
    linux.games.add(7);
    const watch = await linux.start();
    linux.say({ what: 'exit', pid: 7, leader: true, atMs: 15 });
    expect(watch.history()).toEqual(['stopped:exit']);
    await watch.stop();
  });

  test('ENOBUFS: everything is looked at again, what was lost is told, and it is counted', async () => {
    const linux = new Linux();
    const watch = await linux.start();
    linux.clock.advance(1_000);
    linux.games.add(7);
    linux.push({ kind: 'overflow' });
    linux.clock.advance(1);
    expect(watch.history()).toEqual(['started:roblox']);
    linux.games.delete(7);
    linux.push({ kind: 'overflow' }, { kind: 'overflow' });
    linux.clock.advance(200);
    expect(watch.history()).toEqual(['started:roblox', 'stopped:gone']);
    expect(watch.calls.stats()).toMatchObject({ overflows: 3, rescans: 2, missed: 0 });
    await watch.stop();
  });

  test('of what a game forked before forks were asked for, threads are no processes', async () => {
    const linux = new Linux();
    const watch = await linux.start();
    for (const pid of [7, 8, 9]) linux.games.add(pid);
    for (const pid of [8, 9]) linux.parents.set(pid, 7);
    linux.tids.add(9);
    linux.say({ what: 'exec', pid: 7, atMs: 10 });
    linux.clock.advance(2);
    linux.looked.length = 0;
    linux.clock.advance(RECONCILE_MS);
    expect(linux.looked).toEqual([7, 8]);
    await watch.stop();
  });

  test('a reconcile where nothing was forked looks at what it tracks, and lists nothing', async () => {
    const linux = new Linux();
    linux.games.add(7);
    const watch = await linux.start();
    const { lists } = linux;
    linux.looked.length = 0;
    linux.clock.advance(RECONCILE_MS);
    expect(linux.lists).toBe(lists);
    expect(linux.looked).toEqual([7]);
    await watch.stop();
  });

  test('a reconcile tries few new numbers one by one, threads among them, and lists all where they are many', async () => {
    const linux = new Linux();
    linux.others.push(...Array.from({ length: 198 }, (_, i) => 3 + i));
    const watch = await linux.start();
    const { lists } = linux;
    const reconcile = () => {
      linux.looked.length = 0;
      linux.clock.advance(RECONCILE_MS);
    };
    linux.newest = 210;
    for (const pid of [207, 208]) linux.games.add(pid);
    linux.tids.add(208);
    reconcile();
    expect(linux.looked.slice(0, 10)).toEqual([201, 202, 203, 204, 205, 206, 207, 208, 209, 210]);
    expect(linux.lists).toBe(lists);
    expect(watch.history()).toEqual(['started:roblox']);
    linux.newest = 221;
    linux.games.add(220);
    reconcile();
    expect(linux.lists).toBe(lists + 1);
    // What was listed before is not looked at again.
    expect(linux.looked).toEqual([207, 220]);
    // The numbers go round.
    linux.newest = 205;
    linux.games.add(205);
    reconcile();
    expect(linux.lists).toBe(lists + 2);
    expect(watch.history(205)).toEqual(['started:roblox']);
    await watch.stop();
  });

  test('a reconcile puts right what no event had told, and counts it', async () => {
    const linux = new Linux();
    const watch = await linux.start();
    linux.games.add(7);
    linux.clock.advance(RECONCILE_MS);
    linux.games.delete(7);
    linux.clock.advance(RECONCILE_MS);
    expect(watch.history()).toEqual(['started:roblox', 'stopped:gone']);
    expect(watch.calls.stats().missed).toBe(2);
    await watch.stop();
  });

  test('events that wait go before a full look: what it saw is older', async () => {
    const linux = new Linux();
    linux.games.add(7);
    const watch = await linux.start();
    linux.games.add(8);
    // In the queue, not yet read when the reconcile begins.
    const { take } = linux;
    linux.take = () => {
      linux.take = take;
      linux.games.delete(7);
      return { kind: 'event', event: { what: 'exit', pid: 7, leader: true, atMs: 3 } };
    };
    linux.clock.advance(RECONCILE_MS);
    expect(watch.of('process.stopped')).toMatchObject([{ endedAwakeMs: 3, how: 'exit' }]);
    await watch.stop();
  });

  test('events that never cease keep nobody from looking: a reconcile tells what they hide', async () => {
    const linux = new Linux();
    const watch = await linux.start();
    linux.storms = true;
    linux.games.add(7);
    linux.clock.advance(RECONCILE_MS);
    expect(watch.history(7)).toEqual(['started:roblox']);
    linux.storms = false;
    await watch.stop();
  });

  test('a process whose first thread ended goes on until its last has', async () => {
    const linux = new Linux();
    linux.games.add(7);
    linux.threads.add(7);
    const watch = await linux.start();
    linux.say({ what: 'exit', pid: 7, leader: true, atMs: 5 });
    linux.clock.advance(3_000);
    expect(watch.history()).toEqual([]);
    const endsAt = linux.clock.monotonic() + 1;
    linux.say({ what: 'exit', pid: 7, leader: false, atMs: endsAt });
    linux.threads.delete(7);
    linux.games.delete(7);
    linux.clock.advance(1_000);
    expect(watch.of('process.stopped')).toMatchObject([{ endedAwakeMs: endsAt, how: 'exit' }]);
    await watch.stop();
  });

  test('its last thread may be told after it was found ended; untold, it ended no sooner than it was last seen', async () => {
    const linux = new Linux();
    for (const pid of [7, 8]) {
      linux.games.add(pid);
      linux.threads.add(pid);
    }
    const watch = await linux.start();
    for (const pid of [7, 8]) linux.say({ what: 'exit', pid, leader: true, atMs: 0 });
    linux.clock.advance(3);
    const seenAt = linux.clock.monotonic();
    linux.threads.clear();
    linux.games.clear();
    linux.clock.advance(4);
    expect(watch.history()).toEqual([]);
    linux.say({ what: 'exit', pid: 7, leader: false, atMs: seenAt + 2 });
    linux.clock.advance(1);
    expect(watch.of('process.stopped')).toMatchObject([
      { identity: { pid: 7 }, endedAwakeMs: seenAt + 2 },
      { identity: { pid: 8 }, endedAwakeMs: seenAt },
    ]);
    await watch.stop();
  });

  test('a socket that fails is the end of the source', async () => {
    const linux = new Linux();
    const watch = await linux.start();
    linux.games.add(7);
    linux.push({ kind: 'failed', reason: 'EBADF' });
    // The only source of this machine: it is opened anew and finds what happened meanwhile.
    await settled();
    expect(watch.of('source.changed')).toMatchObject([{ source: 'proc-events' }]);
    expect(watch.history()).toEqual(['started:roblox']);
    await watch.stop();
  });
});
