/** Games that are renamed or reworded while they run: real processes, over every source that works on Linux. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type GameChild, Games, hasConnector, Watch, type WatchOptions } from './harness.ts';

const SOURCES = [...(hasConnector ? (['proc-events'] as const) : []), 'procfs', 'ps-list'] as const;
const PERL = '/usr/bin/perl';

let games: Games;
let watch: Watch | undefined;
beforeAll(() => {
  games = new Games();
});
afterEach(async () => {
  try {
    await games.end();
    // Looks at once where that would take a second.
    if (watch?.calls.stats().source === 'ps-list') await watch.look();
    await expect.poll(() => watch?.running ?? [], { timeout: 10_000 }).toEqual([]);
  } finally {
    await watch?.stop();
    watch = undefined;
  }
});
afterAll(() => games.close());

describe.each(SOURCES)('%s', (source) => {
  async function watchFor(role: string, over: Partial<WatchOptions> = {}): Promise<Watch> {
    watch = await Watch.start({ games: [games.config(role)], source, reconcileSeconds: 0.5, ...over });
    expect(watch.calls.stats().source).toBe(source);
    return watch;
  }

  /** Starts a game and waits until it was told. */
  async function playing(w: Watch, path: string, args = ['hold']): Promise<GameChild> {
    const child = games.spawn(path, args);
    await w.until(() => w.history(child.pid).length === 1);
    return child;
  }

  test('a game whose file is renamed while it runs goes on until it ends', async () => {
    const w = await watchFor('Player');
    const path = games.copy(games.name('Player'));
    const child = await playing(w, path);
    renameSync(path, join(games.dir, 'notes'));
    await looksTwice(w);
    expect(w.history(child.pid)).toEqual(['started:roblox']);
    child.stdin.end();
    await w.until(() => w.history(child.pid).length === 2);
  });

  test('rules that change find a game whose command line is too long to be kept, too', async () => {
    const w = await watchFor('Player');
    const path = games.copy(games.name('Player'));
    const child = await playing(w, path, ['hold', 'x'.repeat(10_000)]);
    const renamed = { ...games.config('Player'), id: 'minecraft' };
    await w.calls.configure(w.config({ games: [renamed], source }));
    expect(w.history(child.pid)).toEqual(['started:roblox', 'stopped:config', 'started:minecraft']);
    await w.calls.configure(w.config({ games: [], source }));
    expect(w.history(child.pid).at(-1)).toBe('stopped:config');
  });

  test('so does one that takes the name of another game, or a name that is ignored', async () => {
    const other = { ...games.config('Other'), id: 'minecraft' };
    const roblox = { ...games.config('Player'), ignore: [{ name: games.name('Studio') }] };
    const w = await watchFor('Player', { games: [roblox, other] });
    const path = games.copy(games.name('Player'));
    const child = await playing(w, path);
    renameSync(path, join(games.dir, games.name('Other')));
    await looksTwice(w);
    renameSync(join(games.dir, games.name('Other')), join(games.dir, games.name('Studio')));
    await looksTwice(w);
    expect(w.history()).toEqual(['started:roblox']);
    child.stdin.end();
    await w.until(() => w.history(child.pid).length === 2);
  });

  test('a game whose folder is renamed again and again is told once, and that it changed', async () => {
    const w = await watchFor('Player');
    mkdirSync(join(games.dir, 'm0'));
    const child = await playing(w, games.copy(join('m0', games.name('Player'))));
    for (let i = 0; i < 20; i++) {
      renameSync(join(games.dir, `m${i}`), join(games.dir, `m${i + 1}`));
      if (i % 5 === 0) await w.look();
    }
    await looksTwice(w);
    expect(new Set(w.history(child.pid))).toEqual(new Set(['started:roblox', 'changed']));
    expect(w.of('process.changed').at(-1)?.process.path).toBe(join(games.dir, 'm20', games.name('Player')));
    child.kill('SIGKILL');
    await w.until(() => w.history(child.pid).at(-1)?.startsWith('stopped') === true);
    rmSync(join(games.dir, 'm20'), { recursive: true });
  });

  test('a renamed game that executes something else has stopped', async () => {
    const w = await watchFor('Player');
    const path = games.copy(games.name('Player'));
    const child = await playing(w, path, ['exec', games.copy(games.name('Other')), 'nap', '60000']);
    renameSync(path, join(games.dir, 'notes'));
    await looksTwice(w);
    expect(w.history(child.pid)).toEqual(['started:roblox']);
    child.stdin.end();
    await w.until(() => w.history(child.pid).length === 2);
    expect(w.history(child.pid)).toEqual(['started:roblox', 'stopped:exec']);
  });

  test.runIf(existsSync(PERL))(
    'a script that rewords its command line goes on until it executes another',
    async () => {
      const script = join(games.dir, games.name('Script'));
      writeFileSync(script, '<STDIN>; $0 = "notes"; <STDIN>; exec $^X, "-e", "<STDIN>; <STDIN>"\n');
      const w = await watchFor('Script');
      const child = await playing(w, PERL, [script]);
      child.stdin.write('\n');
      await expect.poll(() => commandLine(child.pid)).toBe('notes');
      await looksTwice(w);
      expect(w.history(child.pid)).toEqual(['started:roblox']);
      child.stdin.write('\n');
      await w.until(() => w.history(child.pid).length === 2);
      expect(w.history(child.pid)).toEqual(['started:roblox', 'stopped:exec']);
      expect(child.exitCode).toBeNull();
    },
  );

  test('new rules let a renamed game go on as what it was told, or let it go', async () => {
    const w = await watchFor('Player');
    const path = games.copy(games.name('Player'));
    const child = await playing(w, path);
    renameSync(path, join(games.dir, 'notes'));
    await w.calls.configure(w.config({ games: [games.config('Player', 'Other')], source }));
    expect(w.history(child.pid)).toEqual(['started:roblox']);
    await w.calls.configure(w.config({ games: [games.config('Other')], source }));
    expect(w.history(child.pid)).toEqual(['started:roblox', 'stopped:config']);
  });

  test('E1 a restart finds a renamed game again by what was told', async () => {
    const first = await watchFor('Player');
    const path = games.copy(games.name('Player'));
    const child = await playing(first, path);
    const told = first.of('process.started').map(({ process }) => process);
    await first.stop();
    renameSync(path, join(games.dir, 'notes'));
    const second = await watchFor('Player', { told });
    expect(second.snapshot).toMatchObject([{ pid: child.pid, startKey: told[0]?.startKey }]);
    child.kill('SIGKILL');
    await second.until(() => second.history(child.pid).length === 1);
  });

  test('a restart believes nothing that was told: what has ended, executed something else or is no game now is gone', async () => {
    const first = await watchFor('Player', { games: [games.config('Player', 'Old')] });
    const player = games.copy(games.name('Player'));
    const ended = await playing(first, player);
    const executed = await playing(first, player, ['exec', games.copy(games.name('Other')), 'nap', '60000']);
    const old = await playing(first, games.copy(games.name('Old')));
    const told = first.of('process.started').map(({ process }) => process);
    await first.stop();
    ended.kill('SIGKILL');
    executed.stdin.end();
    await expect.poll(() => commandLine(executed.pid)).toContain(games.name('Other'));
    await expect.poll(() => ended.signalCode).toBe('SIGKILL');
    const second = await watchFor('Player', { told });
    expect(told).toHaveLength(3);
    expect(second.snapshot).toEqual([]);
    expect(old.exitCode).toBeNull();
  });
});

test.skipIf(!hasConnector)('a fork of a renamed game that outlives it plays on: it is told', async () => {
  watch = await Watch.start({
    games: [games.config('Player')],
    source: 'proc-events',
    reconcileSeconds: 0.5,
  });
  const path = games.copy(games.name('Player'));
  const parent = games.spawn(path, ['orphan']);
  await watch.until(() => watch?.history().length === 1);
  await expect.poll(() => childrenOf(parent.pid)).toHaveLength(1);
  const [child = 0] = childrenOf(parent.pid);
  // It may have forked before forks were asked for: then a look finds the child, by the name it still has.
  await looksTwice(watch);
  renameSync(path, join(games.dir, 'notes'));
  await looksTwice(watch);
  parent.stdin.end();
  await watch.until(() => watch?.history().length === 3);
  expect(watch.history(parent.pid)).toHaveLength(2);
  expect(watch.history(child)).toEqual(['started:roblox']);
});

/** Everything is looked at, once for new rules and once as ever. */
async function looksTwice(w: Watch): Promise<void> {
  const { worked } = w;
  await w.look();
  await expect.poll(() => w.worked, { timeout: 10_000 }).toBeGreaterThan(worked + 1);
}

function commandLine(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0/g, ' ').trim();
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
}
