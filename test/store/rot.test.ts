/**
 * Pages that rot on the disk while the file looks as it was left: the mark of a clean stop matches, so the start does
 * not look again at what it has looked at before (contract D11, C5).
 */
import { execFileSync } from 'node:child_process';
import { closeSync, copyFileSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { describe, expect, it } from 'vitest';
import { corruptFiles, type RunStart, runner, tempDirs } from './helpers.ts';

const dir = tempDirs();
const run = runner();
const EVENTS = 100;
const PAGE = 2048;

/** What one value of a database is, asked of a copy. */
type Ask = (sql: string) => number;

/** Writes over the first byte of a page and leaves the file's times alone. */
function rot(at: string, pageOf: (ask: Ask) => number): void {
  const path = join(at, 'playwarden.db');
  const copy = join(dir(), 'copy.db');
  copyFileSync(path, copy);
  const db = new Database(copy);
  const page = pageOf((sql) => Number((db.prepare(sql).get() as { n: number }).n));
  db.close();
  expect(page).toBeGreaterThan(1);
  const times = join(dir(), 'times');
  execFileSync('cp', ['-p', path, times]);
  const fd = openSync(path, 'r+');
  writeSync(fd, Buffer.of(0xff), 0, 1, (page - 1) * PAGE);
  closeSync(fd);
  execFileSync('touch', ['-r', times, path]);
}

const leafOfEvents = (order: string) => (ask: Ask) =>
  ask(`SELECT pageno AS n FROM dbstat WHERE name = 'events' AND pagetype = 'leaf' ORDER BY ${order} LIMIT 1`);
const rootOf = (name: string) => (ask: Ask) =>
  ask(`SELECT rootpage AS n FROM sqlite_schema WHERE name = '${name}'`);

/** A directory as a clean stop leaves it, with free pages where older events were. */
async function stopped(): Promise<{ at: string; epoch: string }> {
  const at = dir();
  const { start } = await run({ dir: at, append: 3 * EVENTS, end: 'prune' });
  return { at, epoch: start.epoch };
}

function expectRebuilt(at: string, start: RunStart, epoch: string, saved: number): void {
  expect(start.findings[0]).toMatchObject({
    event_type: 'tamper_suspected',
    data: { found: ['unreadable'] },
  });
  expect(corruptFiles(at)).not.toEqual([]);
  expect(start.epoch).not.toBe(epoch);
  expect(start.events.length).toBeGreaterThanOrEqual(saved);
}

describe.skipIf(process.platform === 'win32')('D11: a page that rots under an unchanged mark', () => {
  it.each([
    { what: 'the oldest events', pageOf: leafOfEvents('path'), saved: EVENTS - 20 },
    { what: 'the newest events', pageOf: leafOfEvents('path DESC'), saved: EVENTS - 20 },
    { what: 'the index of usage', pageOf: rootOf('sqlite_autoindex_usage_1'), saved: EVENTS },
    { what: 'the index of notifications', pageOf: rootOf('notifications'), saved: EVENTS },
  ])('$what: the same start rebuilds it and tells', async ({ pageOf, saved }) => {
    const { at, epoch } = await stopped();
    rot(at, pageOf);
    const { start } = await run({ dir: at, append: 1, end: 'prune' });
    expectRebuilt(at, start, epoch, saved);
    const again = await run({ dir: at, end: 'clean' });
    expect(again.start.findings).toEqual([]);
  });

  it('one between the oldest and the newest events: the run that meets it goes on, and the next start rebuilds', async () => {
    const { at, epoch } = await stopped();
    rot(at, (ask) =>
      ask(
        `SELECT pageno AS n FROM dbstat WHERE name = 'events' AND pagetype = 'leaf'
         ORDER BY path LIMIT 1 OFFSET 2`,
      ),
    );
    const meets = await run({ dir: at, end: 'prune' });
    expect(meets.start.findings).toEqual([]);
    const { start } = await run({ dir: at, append: 1, end: 'clean' });
    expectRebuilt(at, start, epoch, EVENTS - 40);
    const again = await run({ dir: at, end: 'clean' });
    expect(again.start.findings).toEqual([]);
    expect(again.start.epoch).toBe(start.epoch);
  });
});
