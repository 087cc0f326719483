/** What is read of a process, over a /proc that the test writes: moments that no real process holds still. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compileRules } from '../../../src/actors/scanner/matcher.ts';
import { procReader } from '../../../src/actors/scanner/proc.ts';
import type { MatchEntry } from '../../../src/protocol/config.ts';

const PID = 100;
let root: string;
let now: number;
beforeEach(() => {
  now = 1e9;
  root = mkdtempSync(join(tmpdir(), 'pw-proc-'));
});
afterEach(() => rmSync(root, { recursive: true }));

/** `exe` left out: it has ended, or is about to. */
function write(folder: string, { state, exe }: { readonly state: string; readonly exe?: string }): void {
  const at = join(root, folder);
  mkdirSync(at, { recursive: true });
  const memory = exe === undefined ? '1 1 0' : '4096 8192 12288';
  writeFileSync(join(at, 'stat'), `${PID} (x) ${state} 1 ${'0 '.repeat(15)}3 0 777 0 0 0 ${memory} 0`);
  writeFileSync(join(at, 'cmdline'), exe === undefined ? '' : `${exe}\0--play\0`);
  if (exe !== undefined) symlinkSync(exe, join(at, 'exe'));
}

function reader(entry: MatchEntry = { name: 'Player' }, beat = () => {}) {
  const games = [{ id: 'roblox', name: 'Roblox', match: [entry], ignore: [] }];
  const rules = compileRules(games);
  return procReader({
    rules: () => rules,
    bootId: 'b',
    accountName: String,
    now: () => now,
    beat,
    root,
  });
}

const look = (watched: boolean) => reader().look(PID, watched);

describe('a process whose first thread has ended', () => {
  beforeEach(() => {
    write(`${PID}`, { state: 'Z' });
    write(`${PID}/task/${PID}`, { state: 'Z' });
  });

  test('E3 is known by a thread that runs, whichever of the others ends while it is read', () => {
    write(`${PID}/task/101`, { state: 'X' });
    mkdirSync(join(root, `${PID}/task/102`));
    write(`${PID}/task/103`, { state: 'S', exe: '/games/Player' });
    expect(look(true)).toMatchObject({
      is: 'game',
      sighting: {
        process: { name: 'Player', command: '/games/Player --play', execution: '4096:8192:12288' },
      },
    });
    expect(look(false)).toMatchObject({ is: 'game' });
  });

  test('E3 is not gone when all threads that were listed have ended: they may have started others', () => {
    mkdirSync(join(root, `${PID}/task/101`));
    expect(look(true)).toEqual({ is: 'unreadable' });
  });

  test('is gone when each thread is dead and only waits for a debugger', () => {
    write(`${PID}/task/101`, { state: 'Z' });
    write(`${PID}/task/102`, { state: 'Z' });
    expect(look(true)).toEqual({ is: 'gone' });
  });
});

describe('a command line', () => {
  test('C8 is matched as a whole, however long, and kept in short', () => {
    const entry = { name: 'Player', command: '*--world magic*' };
    write(`${PID}`, { state: 'S', exe: '/games/Player' });
    writeFileSync(join(root, `${PID}/cmdline`), `/games/Player\0${'x\0'.repeat(100_000)}--world\0magic\0`);
    const seen = reader(entry).look(PID, false);
    expect(seen).toMatchObject({ is: 'game', sighting: { process: { name: 'Player' } } });
    expect(JSON.stringify(seen).length).toBeLessThan(6_000);
  });

  test('a crowd takes long: the thread beats meanwhile', () => {
    write(`${PID}`, { state: 'S', exe: '/bin/sh' });
    let beats = 0;
    const crowd = reader({ name: 'Player' }, () => {
      beats += 1;
    });
    for (let second = 0; second < 10; second++) {
      now += 1_000;
      crowd.look(PID, false);
    }
    expect(beats).toBe(10);
  });
});

describe('a thread of the kernel', () => {
  const newest = (pid: number) => writeFileSync(join(root, 'loadavg'), `0.00 0.00 0.00 1/90 ${pid}\n`);
  beforeEach(() => {
    for (const pid of [42, 43]) mkdirSync(join(root, String(pid)));
    writeFileSync(
      join(root, '42/stat'),
      `42 (kworker/0:1) I 2 0 0 0 -1 69238880 ${'0 '.repeat(10)}1 0 9 0 0 0`,
    );
    writeFileSync(join(root, '43/stat'), `43 (sh) S 1 43 43 0 -1 4194304 ${'0 '.repeat(10)}1 0 9 0 0 0`);
  });

  test('is looked at once, a program that cannot be read each time', () => {
    const reads = reader();
    expect(reads.pids()).toEqual([42, 43]);
    for (const pid of reads.pids()) expect(reads.look(pid, false)).toEqual({ is: 'other', startKey: null });
    expect(reads.pids()).toEqual([43]);
  });

  test('is looked at again when its number may be another one: the numbers went round', () => {
    const reads = reader();
    newest(900);
    reads.newestPid();
    reads.look(42, false);
    newest(905);
    reads.newestPid();
    expect(reads.pids()).toEqual([43]);
    newest(310);
    reads.newestPid();
    expect(reads.pids()).toEqual([42, 43]);
  });
});
