/** What main does while no scanner looks (E1, E3, T3): it asks once a second whether what was told still runs. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { linuxPresence, loadPresence } from '../../src/app/presence.ts';
import { ASKED_AT_A_LOOK, turnOf } from '../../src/app/told-watch.ts';
import type { GameProcess } from '../../src/protocol/messages.ts';
import { linuxStartKey, parseProcStat } from '../../src/protocol/proc-stat.ts';
import { identity, player, setUp, tookIn } from './router-bench.ts';

const snapshot = (...processes: GameProcess[]) =>
  ({ type: 'processes.snapshot', processes, source: 'procfs' }) as const;

function blind(...pids: number[]) {
  const bench = setUp();
  bench.router.fromScanner(snapshot(...pids.map((pid) => player(pid))));
  for (const pid of pids) {
    bench.router.fromSession(tookIn(pid));
    bench.presence.set(pid, 'runs');
  }
  bench.router.scannerGone();
  bench.toSession.length = 0;
  return bench;
}

const stops = ({ events }: ReturnType<typeof setUp>) =>
  events()
    .filter((e) => e.event_type === 'roblox_stopped')
    .map((e) => e.data.process_info);

describe('a game that ends while no scanner looks', () => {
  test('E1 T3: is told within a second, and charged to the last look that saw it', () => {
    const bench = blind(7);
    bench.clock.advance(5_000);
    const seenAwakeMs = bench.clock.monotonic();
    bench.presence.set(7, 'gone');
    bench.clock.advance(1_000);
    expect(stops(bench)).toMatchObject([
      { pid: 7, ended_at: new Date(bench.clock.wall() - 1_000).toISOString() },
    ]);
    expect(bench.toSession).toEqual([
      { type: 'process.stopped', identity: identity(7), endedAwakeMs: seenAwakeMs },
    ]);
  });

  test('E1: is told with null when it was gone before the first look', () => {
    const bench = blind(7);
    bench.presence.set(7, 'gone');
    bench.clock.advance(1_000);
    expect(stops(bench)).toMatchObject([{ pid: 7, ended_at: null }]);
  });

  test('E1: is told once, whatever the next scanner says of it', () => {
    const bench = blind(7, 8);
    bench.presence.set(7, 'gone');
    bench.clock.advance(3_000);
    bench.router.fromScanner({
      type: 'process.stopped',
      identity: identity(7),
      endedAwakeMs: 5,
      how: 'exit',
    });
    bench.router.fromScanner(snapshot(player(8)));
    expect(stops(bench)).toHaveLength(1);
    expect(bench.running()).toMatchObject([{ process: { pid: 8 } }]);
  });

  test('E3: what cannot be asked has not ended, and is told by the next scanner', () => {
    const bench = blind(7);
    bench.presence.set(7, 'unknown');
    bench.clock.advance(60_000);
    expect(stops(bench)).toEqual([]);
    bench.router.fromScanner(snapshot());
    expect(stops(bench)).toMatchObject([{ ended_at: null }]);
  });

  test('nobody is asked while a scanner looks, nor after the stop', () => {
    const bench = blind(7);
    bench.router.fromScanner(snapshot(player(7)));
    bench.presence.set(7, 'gone');
    bench.clock.advance(5_000);
    bench.router.scannerGone();
    bench.router.stop();
    bench.clock.advance(5_000);
    expect(stops(bench)).toEqual([]);
  });

  test('a crowd takes turns: no look asks more than its bound, and each has had its turn after some', () => {
    const pids = Array.from({ length: 2 * ASKED_AT_A_LOOK + 1 }, (_, i) => 10_000 + i);
    const bench = blind(...pids);
    for (const pid of pids) bench.presence.set(pid, 'gone');
    const told = [1, 2, 3].map(() => {
      bench.clock.advance(1_000);
      return bench.toSession.length;
    });
    expect(told).toEqual([ASKED_AT_A_LOOK, 2 * ASKED_AT_A_LOOK, pids.length]);
  });
});

test('turns go round', () => {
  expect(turnOf(['a', 'b', 'c'], 2, 2)).toEqual(['c', 'a']);
  expect(turnOf(['a', 'b', 'c'], 7, 9)).toEqual(['b', 'c', 'a']);
  expect(turnOf([], 5, 2)).toEqual([]);
});

describe.runIf(process.platform === 'linux')('whether a process still runs', () => {
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const keyOf = (pid: number) =>
    linuxStartKey(bootId, parseProcStat(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.startTicks ?? '');

  test('one that does, one that ended, one whose pid is another process', async () => {
    const presence = await loadPresence(bootId);
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)']);
    const it = { pid: child.pid ?? 0, startKey: keyOf(child.pid ?? 0) };
    expect(presence(it)).toBe('runs');
    expect(presence({ ...it, startKey: `${it.startKey}0` })).toBe('gone');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(presence(it)).toBe('gone');
  });

  test('E3: what cannot be read, for want of a descriptor, is not gone', () => {
    const failing = (code: string) =>
      linuxPresence(bootId, () => {
        throw Object.assign(new Error(code), { code });
      });
    expect(['EMFILE', 'EACCES', 'ENOENT', 'ESRCH'].map((code) => failing(code)(identity(7)))).toEqual([
      'unknown',
      'unknown',
      'gone',
      'gone',
    ]);
    expect(linuxPresence(bootId, () => '')(identity(7))).toBe('unknown');
  });

  test('elsewhere than on Linux and Windows nothing is known', async () => {
    expect((await loadPresence(bootId, 'darwin'))({ pid: 1, startKey: '' })).toBe('unknown');
  });
});
