/** C5, D11: a database that SQLite cannot open is not one that is damaged. */
import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { openStore } from '../../src/store/open.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { many, stores, tempDirs } from './helpers.ts';

const dir = tempDirs();
const open = stores();

/** A directory below this one whose path has so many characters. */
function pathOf(length: number, below: string): string {
  let path = below;
  while (path.length < length - 201) path = join(path, 'd'.repeat(100));
  return join(path, 'e'.repeat(length - path.length - 1));
}

it('C5 D11: under a path that is too long for SQLite it is refused in a sentence and left as it was', async () => {
  const root = dir();
  const [short, long] = [pathOf(440, root), pathOf(500, root)];
  for (const path of [short, dirname(long)]) mkdirSync(path, { recursive: true });
  const store = open(short);
  store.log.append(many(3));
  await store.close();
  const files = readdirSync(short);

  renameSync(short, long);
  const message = `the database ${join(long, 'playwarden.db')} cannot be used: SQLite cannot open it`;
  expect(() => openStore({ dir: long, clock: new FakeClock(), bootId: 'boot-1' })).toThrow(
    expect.objectContaining({ exitCode: 74, message }),
  );
  expect(readdirSync(long)).toEqual(files);
  renameSync(long, short);
  expect(open(short).findings).toEqual([]);
});
