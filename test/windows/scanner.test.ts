/** Detection on Windows for real, under Wine: what probes/scanner.probe.ts acts out. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { spread, startWine, type WineProgram } from './wine.ts';

let probe: WineProgram;
beforeAll(() => {
  probe = startWine(['probes/scanner.probe.js']);
});
afterAll(() => probe.dispose());

test('a game that runs already is found at the start, with its start, path and account', async () => {
  const { source, processes, pid, dir, age, message } = await probe.facts('found at the start');
  expect(source).toBe('toolhelp');
  expect(processes).toHaveLength(1);
  expect(processes[0]).toMatchObject({ pid, game: 'roblox', user: expect.any(String) });
  expect(processes[0].path).toBe(`${dir}\\${processes[0].name}`);
  expect(age).toBeGreaterThan(0);
  expect(age).toBeLessThan(60_000);
  expect(message.identity).toEqual({ pid, startKey: processes[0].startKey });
});

test('each start is told once, and each exit, and no handle stays open', async () => {
  const { starts, exits, told, handlesLeft } = await probe.facts('start and exit');
  console.log(`windows: start told after ${spread(starts)}; exit told after ${spread(exits)}`);
  expect(told).toBe(starts.length + exits.length);
  expect(handlesLeft).toBeLessThanOrEqual(0);
});

test('an exit is told at once through its handle, long before the next look', async () => {
  expect((await probe.facts('exit between looks')).how).toBe('exit');
});

test('of two instances each has its own start and stop, and ps-list agrees on who is left', async () => {
  const { name, whileOneRuns, oracle, left, after } = await probe.facts('two instances');
  expect(whileOneRuns).toEqual([`started ${name}`, `started ${name}`, 'stopped']);
  expect(oracle).toEqual([left]);
  expect(after).toEqual([...whileOneRuns, 'stopped']);
});

test('C8: ignored names and other programs are not told', async () => {
  expect((await probe.facts('ignored')).told).toEqual([]);
});

test('launcher starts, player starts, launcher exits: one start, the game goes on', async () => {
  const { name, afterLauncher, after } = await probe.facts('launcher and player');
  expect(afterLauncher).toEqual([`started ${name}`]);
  expect(after).toEqual([`started ${name}`, 'stopped']);
});

test('C8: a path of slashes and any case matches a path of Windows', async () => {
  const { message } = await probe.facts('store edition');
  expect(message.process.name).toBe('Windows10Universal.exe');
});

test('K4: a child that runs the same program is part of its parent', async () => {
  const { name, told, family } = await probe.facts('same program as its parent');
  expect(family).toBe(2);
  expect(told).toEqual([`started ${name}`]);
});

test('the pid is reused: another program is not told, the same game is told anew', async () => {
  const { pid, toldOfOther, start } = await probe.facts('pid reused');
  expect(toldOfOther).toEqual([]);
  expect(start.process.pid).toBe(pid);
});

test('a game that lets nobody open it is told by its name and its start all the same', async () => {
  const { pid, name, message, told } = await probe.facts('not ours to open');
  expect(message.process).toMatchObject({ pid, name, path: null, user: null });
  expect(told).toEqual([`started ${name}`, 'stopped']);
});

test('nothing was missed, and it stops at once', async () => {
  const { cpuPercent, stats, stopMs } = await probe.facts('cost and stop');
  console.log(`windows: the scanner alone uses ${cpuPercent.toFixed(1)} % of a core under Wine`);
  expect(stats).toMatchObject({ tracked: 0, missed: 0 });
  // It does not wait for the next look, nor for what it waits for.
  expect(stopMs).toBeLessThan(5_000);
  expect((await probe.exited).code).toBe(0);
});
