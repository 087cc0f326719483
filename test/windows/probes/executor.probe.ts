/** Closing with the real Windows calls, on real processes. */
import { closeProcess } from '../../../src/actors/executor/close.ts';
import { windowsControl } from '../../../src/actors/executor/platform/windows.ts';
import type { SeenProcess } from '../../../src/actors/executor/process-control.ts';
import type { CloseTask } from '../../../src/protocol/messages.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { claimPid, type Game, Games, scenario } from './kit.ts';

/** For a game that lets this time pass. */
const WAIT_MS = 1_500;
/** For one that goes within it, on a slow machine too. */
const LONG_WAIT_MS = 30_000;

const games = new Games();
const control = windowsControl();

/** A game that has made its window, or guarded itself, and said so; as it was seen before. */
async function started(does: readonly string[], ready?: string): Promise<{ game: Game; seen: SeenProcess }> {
  const game = games.start('Player', does);
  const seen = control.look(game.pid);
  if (!seen) throw new Error('a game that runs is not seen');
  if (ready !== undefined) await game.says(ready);
  return { game, seen };
}

function close(target: SeenProcess, waitMs = WAIT_MS): ReturnType<typeof closeProcess> {
  const task: CloseTask = { target: { ...target, name: 'game' }, waitMs, ownPids: [process.pid] };
  return closeProcess(task, control, systemClock);
}

const runs = (pid: number) => control.look(pid) !== null;

await scenario('window', games, async () => {
  const { game, seen } = await started(['window'], 'shown');
  return { pid: game.pid, seen, report: await close(seen, LONG_WAIT_MS), runs: runs(game.pid) };
});

await scenario('tray', games, async () => {
  const { game, seen } = await started(['tray'], 'shown');
  return { report: await close(seen), runs: runs(game.pid) };
});

await scenario('no window', games, async () => {
  const { game, seen } = await started(['sleep']);
  return { report: await close(seen), runs: runs(game.pid) };
});

await scenario('family', games, async () => {
  const { game, seen } = await started(['family'], 'family');
  const children = await control.relatives(new Set([game.pid]), seen);
  return {
    report: await close(seen),
    children: children.length,
    childRuns: children.some(({ pid }) => runs(pid)),
  };
});

await scenario('gone', games, async () => {
  const { game, seen } = await started(['sleep']);
  game.kill();
  await game.exited;
  return { report: await close(seen) };
});

await scenario('pid reused', games, async () => {
  const { game, seen } = await started(['sleep']);
  game.kill();
  await game.exited;
  const other = await claimPid(game.pid, games, 'Editor');
  const report = await close(seen);
  const asked = control.ask(seen).kind;
  const forced = control.force(seen).kind;
  const otherSeen = control.look(game.pid);
  other.kill();
  return { pid: game.pid, seen, report, asked, forced, otherSeen };
});

await scenario('another image', games, async () => {
  const { game, seen } = await started(['sleep']);
  const report = await close({ ...seen, path: 'C:\\Windows\\notepad.exe' });
  return { report, runs: runs(game.pid) };
});

await scenario('may be seen, not ended', games, async () => {
  const { game, seen } = await started(['guarded', '101000'], 'guarded');
  return { report: await close(seen), runs: runs(game.pid) };
});

await scenario('may not be seen', games, async () => {
  const { game, seen } = await started(['guarded', '0'], 'guarded');
  const report = await close(seen);
  game.kill();
  await game.exited;
  return { report };
});

await scenario('closed while it starts', games, async () => {
  const game = games.start('Player', ['window']);
  const seen = control.look(game.pid);
  return { report: seen ? await close(seen) : null, runs: runs(game.pid) };
});
games.remove();
