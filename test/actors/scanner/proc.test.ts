/** What is read of a process, over a /proc that the test writes: moments that no real process holds still. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compileRules } from '../../../src/actors/scanner/matcher.ts';
import { procReader } from '../../../src/actors/scanner/proc.ts';

const PID = 100;
let root: string;
beforeEach(() => {
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

function look(watched: boolean) {
  const games = [{ id: 'roblox', name: 'Roblox', match: [{ name: 'Player' }], ignore: [] }];
  const rules = compileRules(games);
  const reader = procReader({
    rules: () => rules,
    bootId: 'b',
    accountName: String,
    now: () => 1e9,
    root,
  });
  return reader.look(PID, watched);
}

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
