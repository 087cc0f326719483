/** The list of `ps` as a source: one at a time, late is failed, failed is not empty. */
import type { ProcessDescriptor } from 'ps-list';
import { describe, expect, test } from 'vitest';
import {
  LIST_TIMEOUT_MS,
  type PsListOptions,
  PsListSource,
} from '../../../src/actors/scanner/sources/ps-list.ts';
import type { GameConfig } from '../../../src/protocol/config.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';
import { Watch } from './harness.ts';

const GAME: GameConfig = { id: 'roblox', name: 'Roblox', match: [{ name: 'RobloxPlayer' }], ignore: [] };
const PLAYER: ProcessDescriptor = {
  pid: 7,
  ppid: 1,
  name: 'RobloxPlayer',
  path: '/Applications/Roblox.app/Contents/MacOS/RobloxPlayer',
  cmd: '/Applications/Roblox.app/Contents/MacOS/RobloxPlayer --play',
  uid: 501,
  startTime: new Date('2026-01-15T15:59:00Z'),
};
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A Mac whose `ps` answers what and when the test wants. */
class Mac {
  readonly clock = new FakeClock();
  running: ProcessDescriptor[] = [];
  /** null: `ps` answers at once; else the lists that wait. */
  waiting: { resolve(list: ProcessDescriptor[]): void; reject(error: Error): void }[] | null = null;
  asked = 0;

  async watch(readProc: PsListOptions['readProc'] = null): Promise<Watch> {
    const none = () => {
      throw new Error('not on this platform');
    };
    return Watch.start({
      games: [GAME],
      platform: 'darwin',
      clock: this.clock,
      factories: {
        'proc-events': none,
        procfs: none,
        toolhelp: none,
        'ps-list': (context) =>
          new PsListSource({
            context,
            list: () => this.#list(),
            accountName: (uid) => (uid === 501 ? 'kid' : String(uid)),
            readProc,
            wallNow: () => this.clock.wall(),
          }),
      },
    });
  }

  #list(): Promise<ProcessDescriptor[]> {
    this.asked += 1;
    const { waiting } = this;
    if (!waiting) return Promise.resolve(this.running);
    return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  }

  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 500) {
      this.clock.advance(Math.min(500, left));
      await settled();
    }
  }
}

describe('ps-list', () => {
  test('what starts and what is gone is told, with account and start', async () => {
    const mac = new Mac();
    const watch = await mac.watch();
    mac.running = [PLAYER];
    await mac.pass(2_000);
    expect(watch.of('process.started')).toMatchObject([
      { found: false, process: { pid: 7, user: 'kid', path: PLAYER.path, startKey: '1768492740000' } },
    ]);
    mac.running = [];
    await mac.pass(2_000);
    expect(watch.history()).toEqual(['started:roblox', 'stopped:gone']);
    await watch.stop();
  });

  test('a scan that is slower than the interval: no second one meanwhile, one late tick', async () => {
    const mac = new Mac();
    const watch = await mac.watch();
    mac.waiting = [];
    mac.asked = 0;
    await mac.pass(5_000);
    expect(mac.asked).toBe(1);
    mac.waiting.shift()?.resolve([PLAYER]);
    await settled();
    expect(watch.history()).toEqual(['started:roblox']);
    await mac.pass(1_000);
    expect(mac.asked).toBe(2);
    await watch.stop();
  });

  test('E3 three lists that do not come in time: unknown, no stop, and still no second `ps`', async () => {
    const mac = new Mac();
    mac.running = [PLAYER];
    const watch = await mac.watch();
    mac.waiting = [];
    mac.asked = 0;
    await mac.pass(3 * (LIST_TIMEOUT_MS + 1_500));
    expect(mac.asked).toBe(1);
    expect(watch.of('scan.unknown')).toMatchObject([{ failures: 3 }]);
    expect(watch.history()).toEqual([]);
    const [late] = mac.waiting;
    mac.waiting = null;
    late?.resolve([PLAYER]);
    await mac.pass(3_000);
    expect(watch.messages.at(-1)).toEqual({ type: 'scan.known' });
    expect(watch.history()).toEqual([]);
    await watch.stop();
  });

  test('E3 three lists that throw: unknown, and when it went nobody can say', async () => {
    const mac = new Mac();
    mac.running = [PLAYER];
    const watch = await mac.watch();
    mac.waiting = [];
    for (let i = 0; i < 25; i++) {
      await mac.pass(1_000);
      mac.waiting.shift()?.reject(new Error('fork: no memory'));
      await settled();
    }
    expect(watch.of('scan.unknown')).toEqual([
      { type: 'scan.unknown', reason: 'fork: no memory', failures: 3 },
    ]);
    mac.waiting = null;
    mac.running = [];
    await mac.pass(2_000);
    expect(watch.of('process.stopped')).toMatchObject([{ endedAwakeMs: null }]);
    await watch.stop();
  });

  test('E3 a game on Linux that goes on without its first thread, of which `ps` knows only the short name, plays on', async () => {
    const mac = new Mac();
    let stat = `7 (RobloxPlayer) S 1 ${'0 '.repeat(15)}3 0 777 0 0 0 4096 8192 12288 0`;
    mac.running = [PLAYER];
    const watch = await mac.watch((_, file) => (file === 'stat' ? stat : ''));
    stat = `7 (RobloxPlayer) Z 1 ${'0 '.repeat(15)}2 0 777 0 0 0 0 0 0 0`;
    mac.running = [{ ...PLAYER, name: 'RobloxPla <defunct>', path: '', cmd: '[RobloxPla] <defunct>' }];
    await mac.pass(3_000);
    expect(watch.history()).toEqual([]);
    stat = `7 (RobloxPlayer) Z 1 ${'0 '.repeat(15)}1 0 777 0 0 0 0 0 0 0`;
    await mac.pass(2_000);
    expect(watch.history()).toEqual(['stopped:gone']);
    await watch.stop();
  });

  test('stopped, it asks no more', async () => {
    const mac = new Mac();
    const watch = await mac.watch();
    await watch.stop();
    mac.asked = 0;
    await mac.pass(5_000);
    expect(mac.asked).toBe(0);
    expect(mac.clock.pendingTimers).toBe(0);
  });
});
