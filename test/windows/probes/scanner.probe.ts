/** The scanner with its real Windows source, on real processes. */
import { once } from 'node:events';
import { join } from 'node:path';
import koffi from 'koffi';
import psList from 'ps-list';
import { sourceFactories } from '../../../src/actors/scanner/platform.ts';
import { startScanner } from '../../../src/actors/scanner/scanner.ts';
import { usageReader } from '../../../src/actors/scanner/usage.ts';
import type { FromScanner, ScannerConfig } from '../../../src/protocol/messages.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { claimPid, Games, scenario, until, wallMs } from './kit.ts';

const POLL_MS = 50;
/** So long that no look comes while a scenario lasts. */
const SELDOM_MS = 60_000;
const ROUNDS = 20;
/** Longer than two looks of a quiet machine. */
const NOTHING_MORE_MS = 600;
const FILETIME_1970_MS = 11_644_473_600_000;

const games = new Games();
const STORE = join(`Roblox.STORE_${games.tag}`, 'Windows10Universal.exe');
const config: ScannerConfig = {
  games: [
    {
      id: 'roblox',
      name: 'Roblox',
      match: [
        { name: games.name('Player') },
        { name: games.name('Launcher') },
        { path: `*/roblox.store_${games.tag}/Windows10Universal.exe` },
      ],
      ignore: [{ name: games.name('Launcher') }],
    },
  ],
  detection: { source: 'auto', poll_interval_ms: POLL_MS, reconcile_seconds: 5 },
};

/** The same with one more name. */
function withHidden(): ScannerConfig {
  const widened = config.games.map((game) => ({
    ...game,
    match: [...game.match, { name: games.name('Hidden') }],
  }));
  return { ...config, games: widened };
}

interface Told {
  readonly message: FromScanner;
  readonly atMs: number;
}

/** What the scanner has said, with the wall time of each. */
class Watch {
  readonly told: Told[] = [];
  readonly #changes = new EventTarget();

  hear(message: FromScanner): void {
    this.told.push({ message, atMs: wallMs() });
    this.#changes.dispatchEvent(new Event('told'));
  }

  /** The start of that pid, in what was told from the message `from` on. */
  started = (pid: number, from = 0) =>
    this.#first(from, (m) => m.type === 'process.started' && m.process.pid === pid);
  stopped = (pid: number, from = 0) =>
    this.#first(from, (m) => m.type === 'process.stopped' && m.identity.pid === pid);

  /** As words, from the message `from` on. */
  history(from = 0): string[] {
    return this.told.slice(from).map(({ message }) => {
      if (message.type === 'process.started') return `started ${message.process.name}`;
      if (message.type === 'process.stopped') return 'stopped';
      return message.type;
    });
  }

  async #first(from: number, fits: (message: FromScanner) => boolean): Promise<Told> {
    const signal = AbortSignal.timeout(30_000);
    for (;;) {
      const found = this.told.slice(from).find(({ message }) => fits(message));
      if (found) return found;
      await once(this.#changes as never, 'told', { signal });
    }
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const kernel32 = koffi.load('kernel32.dll');
const handleCount = kernel32.func(
  'int __stdcall GetProcessHandleCount(intptr_t process, _Out_ uint32_t *count)',
);

function openHandles(): number {
  const count = [0];
  handleCount(-1, count);
  return count[0] ?? 0;
}

/** When the process was made, by its startKey. */
function createdMs({ message }: Told): number {
  if (message.type !== 'process.started') throw new Error('not a start');
  return Number(message.process.startKey) / 10_000 - FILETIME_1970_MS;
}

const watch = new Watch();
const early = games.start('Player');
const scanner = await scannerFor(watch, config);

function scannerFor(heard: Watch, config: ScannerConfig): ReturnType<typeof startScanner> {
  return startScanner({
    host: {
      init: { bootId: 'wine', config },
      post: (message) => heard.hear(message),
      worked: () => {},
      beat: () => {},
    },
    clock: systemClock,
    platform: process.platform,
    factories: sourceFactories(),
    usage: usageReader(),
  });
}

await scenario('found at the start', games, async () => {
  const snapshot = watch.told[0]?.message;
  if (snapshot?.type !== 'processes.snapshot') throw new Error('no snapshot came first');
  const age = systemClock.monotonic() - (snapshot.processes[0]?.startedAwakeMs ?? 0);
  early.kill();
  const { message } = await watch.stopped(early.pid);
  return {
    pid: early.pid,
    dir: games.dir,
    source: snapshot.source,
    processes: snapshot.processes,
    age,
    message,
  };
});

await scenario('start and exit', games, async () => {
  const starts: number[] = [];
  const exits: number[] = [];
  const from = watch.told.length;
  let handles = 0;
  for (let round = 0; round < ROUNDS; round++) {
    // Not in step with the looks.
    await pause(POLL_MS * (round / ROUNDS));
    const game = games.start('Player');
    const start = await watch.started(game.pid);
    starts.push(start.atMs - createdMs(start));
    const killedMs = wallMs();
    game.kill();
    const stop = await watch.stopped(game.pid);
    exits.push(stop.atMs - killedMs);
    await game.exited;
    if (round === 1) handles = openHandles();
  }
  const handlesLeft = () => openHandles() - handles;
  // What a handle was opened for may end a moment after it was told.
  await until(() => handlesLeft() <= 0, 'no handle is left').catch(() => {});
  return { starts, exits, told: watch.told.length - from, handlesLeft: handlesLeft() };
});

await scenario('exit between looks', games, async () => {
  const rare = new Watch();
  const seldom: ScannerConfig = {
    ...config,
    detection: { ...config.detection, poll_interval_ms: SELDOM_MS, reconcile_seconds: 3_600 },
  };
  const other = await scannerFor(rare, seldom);
  const game = games.start('Player');
  // Each configuration is a look; one that comes too early does not see it yet.
  await until(async () => {
    await other.calls.configure(seldom);
    return rare.history().length > 1;
  }, 'the game is told');
  await watch.started(game.pid);
  game.kill();
  const { message } = await rare.stopped(game.pid);
  await other.stop();
  await watch.stopped(game.pid);
  return { how: message.type === 'process.stopped' ? message.how : message.type };
});

await scenario('two instances', games, async () => {
  const from = watch.told.length;
  const [a, b] = [games.start('Player'), games.start('Player')];
  await Promise.all([watch.started(a.pid), watch.started(b.pid)]);
  a.kill();
  await watch.stopped(a.pid);
  await pause(NOTHING_MORE_MS);
  const whileOneRuns = watch.history(from);
  const oracle = (await psList()).filter(({ name }) => name === a.name).map(({ pid }) => pid);
  b.kill();
  await watch.stopped(b.pid);
  return { name: a.name, whileOneRuns, oracle, left: b.pid, after: watch.history(from) };
});

await scenario('ignored', games, async () => {
  const from = watch.told.length;
  games.start('Launcher');
  games.start('Editor');
  await pause(NOTHING_MORE_MS);
  return { told: watch.history(from) };
});

await scenario('launcher and player', games, async () => {
  const from = watch.told.length;
  const isStart = ({ message }: Told) => message.type === 'process.started';
  const launcher = games.start('Launcher', ['launch', games.file(games.name('Player')), 'sleep']);
  await launcher.exited;
  await until(() => watch.told.slice(from).some(isStart), 'the player is told');
  await pause(NOTHING_MORE_MS);
  const afterLauncher = watch.history(from);
  const start = watch.told.slice(from).find(isStart)?.message;
  if (start?.type !== 'process.started') throw new Error('no start was told');
  process.kill(start.process.pid);
  await watch.stopped(start.process.pid);
  return { name: games.name('Player'), afterLauncher, after: watch.history(from) };
});

await scenario('store edition', games, async () => {
  const game = games.start('Store', ['sleep'], STORE);
  const { message } = await watch.started(game.pid);
  game.kill();
  await watch.stopped(game.pid);
  return { message };
});

await scenario('same program as its parent', games, async () => {
  const from = watch.told.length;
  const game = games.start('Player', ['family']);
  await game.says('family');
  await watch.started(game.pid);
  await pause(NOTHING_MORE_MS);
  const told = watch.history(from);
  const name = game.name;
  const family = (await psList()).filter((process) => process.name === name).map(({ pid }) => pid);
  for (const pid of family) process.kill(pid);
  await watch.stopped(game.pid);
  return { name, told, family: family.length };
});

await scenario('pid reused', games, async () => {
  const game = games.start('Player');
  await watch.started(game.pid);
  game.kill();
  await watch.stopped(game.pid);
  await game.exited;
  const from = watch.told.length;
  const other = await claimPid(game.pid, games, 'Editor');
  await pause(NOTHING_MORE_MS);
  const toldOfOther = watch.history(from);
  other.kill();
  await pause(POLL_MS);
  const again = await claimPid(game.pid, games, 'Player');
  const start = await watch.started(game.pid, from);
  again.kill();
  await watch.stopped(game.pid, from);
  return { pid: game.pid, toldOfOther, start: start.message };
});

await scenario('not ours to open', games, async () => {
  const hidden = games.start('Hidden', ['guarded', '0']);
  await hidden.says('guarded');
  const from = watch.told.length;
  await scanner.calls.configure(withHidden());
  await pause(NOTHING_MORE_MS);
  const { message } = await watch.started(hidden.pid, from);
  hidden.kill();
  await watch.stopped(hidden.pid, from);
  await scanner.calls.configure(config);
  return { pid: hidden.pid, name: hidden.name, message, told: watch.history(from) };
});

await scenario('cost and stop', games, async () => {
  const before = process.cpuUsage();
  const startedMs = performance.now();
  await pause(3_000);
  const { user, system } = process.cpuUsage(before);
  const cpuPercent = (user + system) / 10 / (performance.now() - startedMs);
  const stats = await scanner.calls.stats();
  const stopMs = performance.now();
  await scanner.stop();
  return { cpuPercent, stats, stopMs: performance.now() - stopMs };
});
games.remove();
