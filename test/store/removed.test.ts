/** Files of the database that somebody removes or replaces while it is open: told, and no clean stop. */
import { copyFileSync, existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { many, stores, tempDirs } from './helpers.ts';

const dir = tempDirs();
const open = stores();

const swap = (path: string) => {
  copyFileSync(path, `${path}.other`);
  renameSync(`${path}.other`, path);
};

test.each<[string, (at: string) => void, RegExp]>([
  ['the directory is removed', (at) => rmSync(at, { recursive: true }), /playwarden\.db was removed/],
  ['the database is replaced', (at) => swap(join(at, 'playwarden.db')), /playwarden\.db was removed/],
  ['its log is removed', (at) => rmSync(join(at, 'playwarden.db-wal')), /playwarden\.db-wal was removed/],
])('%s: the store says so, and its stop is no clean one', async (_title, remove, reason) => {
  const at = dir();
  const store = open(at);
  store.log.append(many(3));
  await store.durable();
  expect(store.health()).toMatchObject({ ok: true, reason: null });
  remove(at);
  expect(store.health()).toMatchObject({ ok: false, reason: expect.stringMatching(reason) });
  await expect(store.close()).rejects.toMatchObject({ exitCode: 74, message: expect.stringMatching(reason) });
});

test('a checkpoint and a new log within the same files are no replacement', async () => {
  const at = dir();
  const store = open(at);
  store.log.append(many(500));
  await store.durable();
  for (let second = 0; second < 5; second++) store.clock.advance(1_000);
  store.log.append(many(500, 501));
  await store.durable();
  expect(existsSync(join(at, 'playwarden.db-wal'))).toBe(true);
  expect(store.health()).toMatchObject({ ok: true, reason: null });
  await store.close();
});
