/** The cases of the field with real processes, over every source that works on Linux. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { accountNames } from '../../../src/actors/scanner/accounts.ts';
import { compileRules } from '../../../src/actors/scanner/matcher.ts';
import { procReader } from '../../../src/actors/scanner/proc.ts';
import type { GameConfig } from '../../../src/protocol/config.ts';
import { parseProcStat } from '../../../src/protocol/proc-stat.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { BOOT_ID, Games, hasConnector, Watch } from './harness.ts';

const isRoot = process.getuid?.() === 0;
const SOURCES = [...(hasConnector ? (['proc-events'] as const) : []), 'procfs', 'ps-list'] as const;

let games: Games;
let watch: Watch | undefined;
beforeAll(() => {
  games = new Games();
});
/** The oracle, after each scenario: what runs at its end, and nothing once all of it was ended. */
afterEach(async () => {
  try {
    await watch?.agreesWithPs();
    await games.end();
    // Looks at once where that would take a second.
    if (watch?.calls.stats().source === 'ps-list') await watch.look();
    await watch?.agreesWithPs([]);
  } finally {
    await games.end();
    await watch?.stop();
    watch = undefined;
  }
});
afterAll(() => games.close());

describe.each(SOURCES)('%s', (source) => {
  async function watchFor(...configs: GameConfig[]): Promise<Watch> {
    watch = await Watch.start({ games: configs, source });
    expect(watch.calls.stats().source).toBe(source);
    return watch;
  }

  test('a game that starts and ends is told once each, with its account and its moments', async () => {
    const w = await watchFor(games.config('Player'));
    const before = systemClock.monotonic();
    const child = games.spawn(games.copy(games.name('Player')), ['hold']);
    await w.until(() => w.history(child.pid).length === 1);
    await w.agreesWithPs([child.pid]);
    const [usage] = await w.calls.usage();
    expect(usage).toMatchObject({ pid: child.pid });
    expect(usage?.rssBytes).toBeGreaterThan(0);
    child.kill('SIGKILL');
    await w.until(() => w.history(child.pid).length === 2);

    const [started] = w.of('process.started');
    expect(started).toMatchObject({
      found: false,
      process: {
        pid: child.pid,
        name: games.name('Player'),
        user: userName(),
        path: join(games.dir, games.name('Player')),
      },
    });
    // USER_HZ ticks are 10 ms.
    expect(started!.process.startedAwakeMs).toBeGreaterThan(before - 10);
    expect(started!.process.startedAwakeMs).toBeLessThan(systemClock.monotonic());
    const [stopped] = w.of('process.stopped');
    expect(stopped?.endedAwakeMs).toBeGreaterThan(started!.process.startedAwakeMs);
    expect(w.messages.map((m) => m.type)).toEqual([
      'processes.snapshot',
      'process.started',
      'process.stopped',
    ]);
  });

  test('E1 a game that runs already stands in the snapshot, under the identity that a restart finds again', async () => {
    const child = games.spawn(games.copy(games.name('Player')), ['hold']);
    const first = await watchFor(games.config('Player'));
    expect(first.snapshot.map(({ pid }) => pid)).toEqual([child.pid]);
    await first.stop();
    const second = await watchFor(games.config('Player'));
    expect(second.snapshot).toMatchObject([{ pid: child.pid, startKey: first.snapshot[0]?.startKey }]);
    expect(second.messages).toHaveLength(1);
    child.kill('SIGKILL');
    await second.until(() => second.history(child.pid).length === 1);
  });

  test('T3 a game that runs already began when it did, also on a PC that slept before', async () => {
    const child = games.spawn(games.copy(games.name('Player')), ['hold']);
    const ticks = Number(parseProcStat(readFileSync(`/proc/${child.pid}/stat`, 'latin1'))?.startTicks);
    const bootMs = Number.parseFloat(readFileSync('/proc/uptime', 'latin1')) * 1_000;
    const sleptMs = bootMs - systemClock.monotonic() + 500;
    const elapsedMs = ticks * 10 - 1_000;
    const lastClocks = { awakeMs: elapsedMs - sleptMs, elapsedMs };
    watch = await Watch.start({ games: [games.config('Player')], source, lastClocks });
    expect(watch.snapshot).toMatchObject([{ pid: child.pid }]);
    expect(watch.snapshot[0]?.startedAwakeMs).toBeCloseTo(ticks * 10 + 10 - sleptMs, 3);
  });

  test('two players (multi-instance) are two processes, and one of them ends', async () => {
    const w = await watchFor(games.config('Player'));
    const path = games.copy(games.name('Player'));
    const one = games.spawn(path, ['hold']);
    const two = games.spawn(path, ['hold']);
    await w.until(() => w.history().length === 2);
    one.kill('SIGKILL');
    await w.until(() => w.history().length === 3);
    await w.agreesWithPs([two.pid]);
    expect(w.history(one.pid)).toHaveLength(2);
  });

  test('launcher starts, player starts, launcher exits: one start, the game goes on', async () => {
    const w = await watchFor(games.config('Player'));
    const launcher = games.copy(games.name('Launcher'));
    const player = games.copy(games.name('Player'));
    await once(games.spawn(launcher, ['launch', player, 'nap', '60000']), 'exit');
    await w.until(() => w.history().length === 1);
    await w.look();
    expect(w.history()).toEqual(['started:roblox']);
  });

  test('K4 a child that the game forks without exec is part of it: one process is told', async () => {
    const w = await watchFor(games.config('Player'));
    const child = games.spawn(games.copy(games.name('Player')), ['fork']);
    await w.until(() => w.history().length === 1);
    await expect.poll(() => childrenOf(child.pid)).toHaveLength(1);
    await w.look();
    child.stdin.end();
    await w.until(() => w.history(child.pid).length === 2);
    expect(w.history()).toHaveLength(2);
  });

  test('a player that execs into something else has stopped, and its pid is nobody’s game', async () => {
    const w = await watchFor(games.config('Player'));
    const other = games.copy(games.name('Other'));
    const child = games.spawn(games.copy(games.name('Player')), ['exec', other, 'nap', '60000']);
    await w.until(() => w.history().length === 1);
    child.stdin.end();
    await w.until(() => w.history().length === 2);
    expect(w.history(child.pid)).toEqual(['started:roblox', 'stopped:exec']);
    expect(child.exitCode).toBeNull();
  });

  test('C8 ignore wins: Studio or the crash handler alone is nothing', async () => {
    const w = await watchFor({
      ...games.config('Player'),
      match: [{ path: `${games.dir}/*` }],
      ignore: [{ name: games.name('Studio') }],
    });
    games.spawn(games.copy(games.name('Studio')), ['hold']);
    const player = games.spawn(games.copy(games.name('Player')), ['hold']);
    await w.until(() => w.history().length === 1);
    expect(w.history(player.pid)).toEqual(['started:roblox']);
    player.kill('SIGKILL');
    await w.until(() => w.history().length === 2);
  });

  test('a copy renamed by the child is seen by its path; under a foreign name and path it cannot be', async () => {
    const w = await watchFor({ ...games.config(), match: [{ path: `${games.dir}/*renamed*` }] });
    games.spawn(games.copy('homework'), ['hold']);
    const renamed = games.spawn(games.copy('renamed-homework'), ['hold']);
    await w.until(() => w.history().length === 1);
    expect(w.of('process.started')[0]?.process).toMatchObject({ pid: renamed.pid, name: 'renamed-homework' });
  });
});

describe('whichever source', () => {
  const source = hasConnector ? 'proc-events' : 'procfs';

  test('a shell becomes the launcher, which becomes the player: one start', async () => {
    watch = await Watch.start({ games: [games.config('Player')], source });
    const launcher = games.copy(games.name('Launcher'));
    const player = games.copy(games.name('Player'));
    const shell = games.spawn('/bin/sh', ['-c', `exec "${launcher}" exec "${player}" nap 60000`]);
    shell.stdin.end();
    await watch.until(() => watch!.history().length === 1);
    expect(watch.history(shell.pid)).toEqual(['started:roblox']);
  });

  test('`exec -a` does not hide a game, and an editor that opens its file is none', async () => {
    const path = games.copy(games.name('Player'));
    watch = await Watch.start({ games: [games.config('Player')], source });
    games.spawn('/bin/sleep', ['60'], games.name('Player'));
    games.spawn('/usr/bin/tail', ['-f', path]);
    const hidden = games.spawn(path, ['hold'], 'homework');
    await watch.until(() => watch!.history().length === 1);
    expect(watch.of('process.started')[0]?.process).toMatchObject({
      pid: hidden.pid,
      name: games.name('Player'),
    });
    expect(watch.calls.stats().tracked).toBe(1);
  });

  test('a script under the name of the game is the game', async () => {
    const script = join(games.dir, games.name('Script'));
    writeFileSync(script, '#!/bin/sh -e\nread -r line\n');
    chmodSync(script, 0o755);
    watch = await Watch.start({ games: [games.config('Script')], source });
    const child = games.spawn(script, []);
    await watch.until(() => watch!.history().length === 1);
    expect(watch.of('process.started')[0]?.process).toMatchObject({
      pid: child.pid,
      name: games.name('Script'),
    });
    child.stdin.end();
    await watch.until(() => watch!.history().length === 2);
    expect(watch.history(child.pid)).toHaveLength(2);
  });

  test('an executable that was deleted, or started through a link of another name, is still the game', async () => {
    const path = games.copy(games.name('Player'));
    const link = join(games.dir, 'homework-link');
    symlinkSync(path, link);
    const child = games.spawn(link, ['hold']);
    rmSync(path);
    watch = await Watch.start({ games: [games.config('Player')], source });
    expect(watch.snapshot).toMatchObject([{ pid: child.pid, path, name: games.name('Player') }]);
  });

  test('a folder so deep that no link names it hides no game, whatever its first argument says', async () => {
    const deep = join(games.dir, 'deep');
    const into = `mkdir "${deep}"; cd "${deep}"; for i in $(seq 25); do mkdir ${'d'.repeat(200)}; cd -P ${'d'.repeat(200)}; done`;
    const player = `./${games.name('Player')}`;
    const shell = games.spawn('/bin/sh', [
      '-c',
      `${into}; cp "${games.dir}/program" ${player}; ln -s ${player} notes; exec ./notes hold`,
    ]);
    const rules = compileRules([games.config('Player')]);
    const now = () => systemClock.monotonic();
    const reader = procReader({ rules: () => rules, bootId: BOOT_ID, accountName: accountNames(), now });
    await expect.poll(() => reader.look(shell.pid, false), { timeout: 5_000 }).toMatchObject({ is: 'game' });
    // Node removes nothing that has no path.
    await games.end();
    execFileSync('rm', ['-rf', deep]);
  });

  test('a zombie is not running', async () => {
    const path = games.copy(games.name('Player'));
    watch = await Watch.start({ games: [games.config('Player')], source });
    // The shell does not wait for its child before it is told to.
    const shell = games.spawn('/bin/sh', ['-c', `"${path}" nap 300 & exec sleep 60`]);
    await watch.until(() => watch!.history().length === 2);
    expect(childrenOf(shell.pid).map(stateOf)).toEqual(['Z']);
    await watch.stop();
    watch = await Watch.start({ games: [games.config('Player')], source });
    expect(watch.snapshot).toEqual([]);
  });

  test('a game whose first thread ends goes on until the last one has', async () => {
    watch = await Watch.start({ games: [games.config('Player')], source });
    const child = games.spawn(games.copy(games.name('Player')), ['detach']);
    // While its first thread ends its command line may be read as empty, and then whole again.
    const told = () => watch!.history(child.pid).filter((word) => word !== 'changed');
    await watch.until(() => told().length === 1);
    await expect.poll(() => stateOf(child.pid)).toBe('Z');
    await watch.look();
    expect(told()).toEqual(['started:roblox']);
    child.stdin.end();
    await watch.until(() => told().length === 2);
  });

  test('a forked child that outlives the game plays on: it is told as a process of its own', async () => {
    watch = await Watch.start({ games: [games.config('Player')], source });
    const parent = games.spawn(games.copy(games.name('Player')), ['orphan']);
    await watch.until(() => watch!.history().length === 1);
    await expect.poll(() => childrenOf(parent.pid)).toHaveLength(1);
    parent.stdin.end();
    await watch.until(() => watch!.history().length === 3);
    expect(watch.history(parent.pid)).toHaveLength(2);
    const [first, second] = watch.of('process.started');
    expect(second?.process.pid).not.toBe(first?.process.pid);
    expect(second?.process.command).toBe(first?.process.command);
  });

  test('a game that hands on to a fork of its own before anybody looks is told again and again', async () => {
    watch = await Watch.start({ games: [games.config('Player')], source });
    games.spawn(games.copy(games.name('Player')), ['relay', '50']);
    await watch.until(() => watch!.of('process.started').length > 3);
    const between = watch.of('process.started').map(({ process }) => process.startedAwakeMs);
    expect((between[3] ?? 0) - (between[0] ?? 0)).toBeLessThan(1_500);
    await games.end();
    await watch.until(() => watch!.of('process.stopped').length === watch!.of('process.started').length);
  });

  test('rules that change find what runs, and let go what is no game any more', async () => {
    const player = games.spawn(games.copy(games.name('Player')), ['hold']);
    const other = games.spawn(games.copy(games.name('Other')), ['hold']);
    watch = await Watch.start({ games: [games.config('Player')], source });
    await watch.calls.configure(watch.config({ games: [games.config('Other')], source }));
    expect(watch.history(player.pid)).toEqual(['stopped:config']);
    expect(watch.of('process.started')).toMatchObject([{ process: { pid: other.pid }, found: true }]);
  });

  // As root only: the next pid has to be set.
  const quick = isRoot ? SOURCES.filter((name) => name !== 'ps-list') : [];
  test.each(quick)('the pid is reused by another program, and by the game again: %s', async (quickSource) => {
    // The newest pid is the same again, which without root takes a whole round of pids: only a reconcile sees it.
    const reconcileSeconds = quickSource === 'procfs' ? 0.5 : 5;
    watch = await Watch.start({ games: [games.config('Player')], source: quickSource, reconcileSeconds });
    const path = games.copy(games.name('Player'));
    const other = games.copy(games.name('Other'));
    const first = games.spawn(path, ['hold']);
    await watch.until(() => watch!.history().length === 1);
    for (const [next, told] of [
      [other, 0],
      [path, 1],
    ] as const) {
      const before = watch.history().length;
      // The kernel tells starts to 10 ms: within one tick the same pid is the same process to everybody.
      await new Promise((resolve) => setTimeout(resolve, 25));
      const holder = await reusePid(first.pid, next);
      if (told === 1) await watch.until(() => watch!.history(first.pid).at(-1) === 'started:roblox');
      else await watch.until(() => watch!.history().length === before + 1);
      process.kill(holder, 'SIGKILL');
      if (told === 1) await watch.until(() => watch!.history(first.pid).at(-1) !== 'started:roblox');
    }
    expect(watch.history(first.pid).filter((word) => word.startsWith('started'))).toHaveLength(2);
    const starts = watch.of('process.started').filter((told) => told.process.pid === first.pid);
    expect(new Set(starts.map((told) => told.process.startKey)).size).toBe(2);
  });
});

/** Ends `pid` and starts programs until one of them gets it; returns when that one runs. */
async function reusePid(pid: number, path: string): Promise<number> {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {}
  for (let attempt = 0; attempt < 400; attempt++) {
    writeFileSync('/proc/sys/kernel/ns_last_pid', String(pid - 1));
    const child = games.spawn(path, ['hold']);
    if (child.pid === pid) return pid;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  throw new Error('somebody else holds the pid');
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
}

function stateOf(pid: number): string | undefined {
  return parseProcStat(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.state;
}

function userName(): string {
  return execFileSync('id', ['-un'], { encoding: 'utf8' }).trim();
}
