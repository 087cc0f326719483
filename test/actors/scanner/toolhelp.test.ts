/** The Windows source over a Win32 that the test plays. That the real one fits is shown under Wine. */
import { beforeEach, describe, expect, test } from 'vitest';
import { ToolhelpSource } from '../../../src/actors/scanner/sources/toolhelp.ts';
import type { Handle, SnapshotEntry, Win32 } from '../../../src/actors/scanner/win32.ts';
import { DEFAULT_CONFIG } from '../../../src/protocol/config.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';
import { Watch } from './harness.ts';

const DIR = 'C:\\Users\\kid\\AppData\\Local\\Roblox\\Versions\\version-1\\';
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

interface Program {
  readonly name: string;
  readonly parentPid?: number;
  /** false: not ours to open. */
  readonly open?: boolean;
  readonly command?: string;
}

/** Some time on 2026-01-15, in 100 ns since 1601. */
const startKey = (birth: number) => String(134_129_664_000_000_000n + BigInt(birth));

/** A Windows with processes and handles; leaks and closes of what is waited on are errors. */
class Windows implements Win32 {
  readonly clock = new FakeClock();
  readonly processes = new Map<number, Program & { birth: number }>();
  readonly handles = new Map<Handle, { pid: number; birth: number }>();
  readonly accountsAsked: number[] = [];
  snapshots = 0;
  opened = 0;
  broken = false;
  #next = 100;
  #births = 0;
  #waits: { handles: readonly Handle[]; done: () => void }[] = [];
  readonly #set = new Set<Handle>();

  run(pid: number, program: Program): void {
    this.#births += 1;
    this.processes.set(pid, { ...program, birth: this.#births });
  }

  async exit(pid: number): Promise<void> {
    this.processes.delete(pid);
    this.#signal();
    await settled();
  }

  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 50) {
      this.clock.advance(50);
      await settled();
    }
  }

  watch(): Promise<Watch> {
    const none = () => {
      throw new Error('not on this platform');
    };
    return Watch.start({
      games: DEFAULT_CONFIG.games,
      platform: 'win32',
      clock: this.clock,
      factories: {
        'proc-events': none,
        procfs: none,
        'ps-list': none,
        toolhelp: (context) =>
          new ToolhelpSource({ context, win32: () => this, wallNow: () => this.clock.wall() }),
      },
    });
  }

  snapshot(): SnapshotEntry[] {
    this.snapshots += 1;
    if (this.broken) throw new Error('the list of processes cannot be taken');
    return [...this.processes].map(([pid, { name, parentPid = 1, birth }]) => ({
      pid,
      parentPid,
      name,
      startKey: startKey(birth),
    }));
  }

  open(pid: number): Handle | null {
    this.opened += 1;
    const process = this.processes.get(pid);
    if (!process || process.open === false) return null;
    this.#next += 1;
    this.handles.set(this.#next, { pid, birth: process.birth });
    return this.#next;
  }

  close(handle: Handle): void {
    expect(this.#waits.some(({ handles }) => handles.includes(handle))).toBe(false);
    expect(this.handles.delete(handle)).toBe(true);
  }

  creationTime(handle: Handle): string {
    return startKey(this.handles.get(handle)?.birth ?? 0);
  }

  imagePath(handle: Handle): string | null {
    const name = this.#of(handle)?.name;
    return name === undefined ? null : DIR + name;
  }

  commandLine(handle: Handle): string | null {
    const process = this.#of(handle);
    return process ? (process.command ?? `"${DIR}${process.name}" --app`) : null;
  }

  account(handle: Handle): string {
    this.accountsAsked.push(this.handles.get(handle)?.pid ?? 0);
    return 'kid';
  }

  hasExited(handle: Handle): boolean {
    return this.#of(handle) === undefined;
  }

  waitAny(handles: readonly Handle[], timeoutMs: number): Promise<void> {
    for (const handle of handles) expect(this.handles.has(handle)).toBe(true);
    return new Promise((resolve) => {
      const wait = {
        handles,
        done: () => {
          stop();
          this.#waits = this.#waits.filter((one) => one !== wait);
          resolve();
        },
      };
      const stop = this.clock.after(timeoutMs, () => wait.done());
      this.#waits.push(wait);
      this.#signal();
    });
  }

  createEvent(): Handle {
    this.#next += 1;
    this.handles.set(this.#next, { pid: 0, birth: 0 });
    return this.#next;
  }

  setEvent(event: Handle): void {
    this.#set.add(event);
    this.#signal();
  }

  #of(handle: Handle) {
    const held = this.handles.get(handle);
    const process = held && this.processes.get(held.pid);
    return process?.birth === held?.birth ? process : undefined;
  }

  #signal(): void {
    for (const wait of [...this.#waits]) {
      const [event, ...processes] = wait.handles;
      if (event !== undefined && this.#set.delete(event)) wait.done();
      else if (processes.some((handle) => this.hasExited(handle))) wait.done();
    }
  }
}

let windows: Windows;
beforeEach(() => {
  windows = new Windows();
  windows.run(4, { name: 'System', open: false });
  windows.run(8, { name: 'explorer.exe' });
});

describe('toolhelp', () => {
  test('a game is told once, with path, command line and account', async () => {
    const watch = await windows.watch();
    windows.run(50, { name: 'RobloxPlayerBeta.exe' });
    await windows.pass(500);
    expect(watch.of('process.started')).toMatchObject([
      {
        found: false,
        process: {
          pid: 50,
          name: 'RobloxPlayerBeta.exe',
          path: `${DIR}RobloxPlayerBeta.exe`,
          user: 'kid',
        },
      },
    ]);
    expect(windows.accountsAsked).toEqual([50]);
    await watch.stop();
    expect(windows.handles.size).toBe(0);
  });

  test('the exit is told by the handle, before any snapshot', async () => {
    windows.run(50, { name: 'RobloxPlayerBeta.exe' });
    const watch = await windows.watch();
    await windows.pass(100);
    const snapshots = windows.snapshots;
    await windows.exit(50);
    expect(windows.snapshots).toBe(snapshots);
    expect(watch.history()).toEqual(['stopped:exit']);
    await watch.stop();
    expect(windows.handles.size).toBe(0);
  });

  test('launcher, player and crash handler: one start; two instances are two', async () => {
    const watch = await windows.watch();
    windows.run(40, { name: 'RobloxPlayerLauncher.exe' });
    await windows.pass(300);
    windows.run(50, { name: 'RobloxPlayerBeta.exe', parentPid: 40 });
    windows.run(51, { name: 'RobloxCrashHandler.exe', parentPid: 50 });
    await windows.exit(40);
    await windows.pass(300);
    expect(watch.history()).toEqual(['started:roblox']);
    windows.run(60, { name: 'RobloxPlayerBeta.exe', command: '"RobloxPlayerBeta.exe" --second' });
    await windows.pass(300);
    expect(watch.history(60)).toEqual(['started:roblox']);
    await windows.exit(50);
    await windows.pass(300);
    expect(watch.history(50)).toEqual(['started:roblox', 'stopped:exit']);
    await watch.stop();
  });

  test('the pid is reused by another program, or by the game, between two looks', async () => {
    windows.run(50, { name: 'RobloxPlayerBeta.exe' });
    const watch = await windows.watch();
    windows.run(50, { name: 'notepad.exe' });
    await windows.pass(1_500);
    expect(watch.history(50)).toEqual(['stopped:gone']);
    windows.run(50, { name: 'RobloxPlayerBeta.exe' });
    await windows.pass(1_500);
    windows.run(50, { name: 'RobloxPlayerBeta.exe' });
    await windows.pass(1_500);
    expect(watch.history(50).filter((word) => word.startsWith('started'))).toHaveLength(2);
    expect(watch.calls.stats().tracked).toBe(1);
    await watch.stop();
    expect(windows.handles.size).toBe(0);
  });

  test('a process is opened when it is new, not at every tick', async () => {
    const watch = await windows.watch();
    windows.run(90, { name: 'chrome.exe' });
    await windows.pass(200);
    const opened = windows.opened;
    await windows.pass(3_000);
    expect(windows.opened).toBe(opened);
    await watch.stop();
  });

  test('on a quiet machine it looks seldom, after a start often', async () => {
    const watch = await windows.watch();
    await windows.pass(30_000);
    const before = windows.snapshots;
    await windows.pass(2_000);
    const quiet = windows.snapshots - before;
    windows.run(90, { name: 'chrome.exe' });
    await windows.pass(200);
    const again = windows.snapshots;
    await windows.pass(2_000);
    expect(windows.snapshots - again).toBeGreaterThan(1.5 * quiet);
    await watch.stop();
  });

  test('a game that may not be opened is told by its name, and its end by the next look', async () => {
    windows.run(50, { name: 'RobloxPlayerBeta.exe', open: false });
    const watch = await windows.watch();
    expect(watch.snapshot).toMatchObject([{ pid: 50, path: null, command: null, user: null }]);
    windows.run(60, { name: 'RobloxPlayerBeta.exe', open: false });
    windows.run(61, { name: 'RobloxStudioBeta.exe', open: false });
    await windows.pass(10_000);
    expect(watch.history()).toEqual(['started:roblox']);
    await windows.exit(60);
    await windows.pass(1_000);
    expect(watch.history(60)).toEqual(['started:roblox', 'stopped:gone']);
    await watch.stop();
    expect(windows.handles.size).toBe(0);
  });

  test('a game that may not be opened and its pid reused by such another one are two', async () => {
    windows.run(50, { name: 'RobloxPlayerBeta.exe', open: false });
    const watch = await windows.watch();
    windows.run(50, { name: 'RobloxPlayerBeta.exe', open: false });
    await windows.pass(1_000);
    expect(watch.history(50)).toEqual(['stopped:gone', 'started:roblox']);
    windows.run(50, { name: 'svchost.exe', open: false });
    await windows.pass(1_000);
    expect(watch.history(50)).toEqual(['stopped:gone', 'started:roblox', 'stopped:gone']);
    await watch.stop();
  });

  test('E3 a snapshot that fails ends nothing', async () => {
    windows.run(50, { name: 'RobloxPlayerBeta.exe' });
    const watch = await windows.watch();
    windows.broken = true;
    await windows.pass(3_000);
    expect(watch.of('scan.unknown')).toHaveLength(1);
    expect(watch.history()).toEqual([]);
    windows.broken = false;
    await windows.pass(3_000);
    expect(watch.messages.at(-1)).toEqual({ type: 'scan.known' });
    expect(watch.history()).toEqual([]);
    await watch.stop();
  });
});
