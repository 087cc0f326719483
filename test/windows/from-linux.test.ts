/**
 * The same games of Windows seen from Linux, where a child plays them under Wine: detection and closing of the
 * agent for Linux, over the processes that Wine makes of them.
 */
import { copyFileSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { closeProcess } from '../../src/actors/executor/close.ts';
import { loadLinuxControl } from '../../src/actors/executor/platform/linux.ts';
import type { GameConfig } from '../../src/protocol/config.ts';
import type { GameProcess } from '../../src/protocol/messages.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { hasConnector, Watch } from '../actors/scanner/harness.ts';
import { APP } from './setup.ts';
import { startWine, type WineProgram } from './wine.ts';

const SOURCES = [...(hasConnector ? (['proc-events'] as const) : []), 'procfs', 'ps-list'] as const;
const PLAYER = `PwUnderWine${process.pid}Player`;
const LAUNCHER = `PwUnderWine${process.pid}Launcher`;
const ROBLOX: GameConfig = {
  id: 'roblox',
  name: 'Roblox',
  match: [{ path: `*PwUnderWine${process.pid}*` }],
  ignore: [{ name: `${LAUNCHER}.exe` }],
};

let watch: Watch;
let program: WineProgram;
beforeAll(() => {
  for (const name of [PLAYER, LAUNCHER]) copyFileSync(join(APP, 'game.exe'), join(APP, `${name}.exe`));
});
afterEach(async () => {
  await program.dispose();
  await watch.stop();
});
afterAll(() => {
  for (const name of [PLAYER, LAUNCHER]) rmSync(join(APP, `${name}.exe`), { force: true });
});

describe.each(SOURCES)('%s', (source) => {
  test('a game under Wine is one game, whatever Wine does to its command line, and is closed as one', async () => {
    watch = await Watch.start({ games: [ROBLOX], source });
    program = startWine([`${PLAYER}.exe`, 'sleep', '60000']);
    const player = await started();
    expect(player).toMatchObject({ name: `${PLAYER}.exe`, command: `${PLAYER}.exe sleep 60000` });
    await wineIsDone(player);
    await watch.look();
    expect(told()).toEqual(['started:roblox']);
    await watch.agreesWithPs([player.pid]);

    expect(await close(player)).toMatchObject({ outcome: 'closed' });
    await watch.until(() => told().length === 2);
    await watch.look();
    expect(told(player.pid)).toHaveLength(2);
    await watch.agreesWithPs([]);
  });

  test('C8: a launcher that is ignored starts the player and ends: one start', async () => {
    watch = await Watch.start({ games: [ROBLOX], source });
    program = startWine([`${LAUNCHER}.exe`, 'launch', `C:\\playwarden\\${PLAYER}.exe`, 'sleep', '60000']);
    const player = await started();
    expect(player.name).toBe(`${PLAYER}.exe`);
    await program.exited;
    await wineIsDone(player);
    await watch.look();
    expect(told()).toEqual(['started:roblox']);
    await watch.agreesWithPs([player.pid]);
    expect(await close(player)).toMatchObject({ outcome: 'closed' });
    await watch.until(() => told().length === 2);
  });
});

test('Windows adds the ending of a program by itself: without it the game is seen too', async () => {
  watch = await Watch.start({ games: [ROBLOX], source: 'procfs' });
  program = startWine(['cmd.exe', '/c', PLAYER, 'sleep', '60000']);
  const player = await started();
  expect(player.name).toBe(`${PLAYER}.exe`);
  expect(await close(player)).toMatchObject({ outcome: 'closed' });
  await watch.until(() => told().length === 2);
});

/** Wine executes itself anew as it starts: a close must know of that, nobody else. */
const told = (pid?: number) => watch.history(pid).filter((word) => word !== 'changed');

async function started(): Promise<GameProcess> {
  await watch.until(() => watch.history().length > 0, 50_000);
  const [first] = watch.of('process.started');
  if (!first) throw new Error('a stop came first');
  return first.process;
}

/** Until Wine has made the program of Windows the process's first argument. */
async function wineIsDone({ pid }: GameProcess): Promise<void> {
  const first = () => readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0')[0];
  await expect.poll(first, { timeout: 50_000 }).toContain(PLAYER);
}

async function close(target: GameProcess) {
  const task = { target, waitMs: 10_000, ownPids: [process.pid] };
  return closeProcess(task, await loadLinuxControl(), systemClock);
}
