/** The write-ahead log stays short though something is written all the time, and one that is very long can be salvaged (D10, D11). */
import { closeSync, ftruncateSync, openSync, statSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { describe, expect, it } from 'vitest';
import { LONG_LOG_BYTES } from '../../src/store/checkpoint.ts';
import { corruptFiles, many, readAll, stores, tempDirs } from './helpers.ts';

const dir = tempDirs();
const open = stores();
const LONG_MS = 60_000;

describe('D10: a log that is written to all the time', () => {
  it(
    'starts anew again and again: it is never much longer than at which it is moved',
    async () => {
      const at = dir();
      const store = open(at);
      const bytes = () => statSync(join(at, 'playwarden.db-wal')).size;
      let longest = 0;
      let writes = 0;
      const write = async (size: number) => {
        store.meta.set('k', `${++writes}`.padEnd(size, 'x'));
        await store.durable();
        longest = Math.max(longest, bytes());
        // Whatever becomes of it, the test's disk is not filled.
        expect(longest).toBeLessThan(2 * LONG_LOG_BYTES);
      };
      for (let turn = 0; turn < 3; turn++) {
        while (bytes() < LONG_LOG_BYTES) await write(200_000);
        // In small steps, never still: while a part of it is being moved something new comes.
        while (bytes() >= LONG_LOG_BYTES) await write(2_000);
      }
      expect(longest).toBeGreaterThanOrEqual(LONG_LOG_BYTES);
      expect(store.health()).toMatchObject({ ok: true });
      expect(store.meta.get('k')?.startsWith(`${writes}`)).toBe(true);
    },
    LONG_MS,
  );

  it(
    'is kept while another program reads an old state, and is moved soon after',
    async () => {
      const at = dir();
      const store = open(at);
      const bytes = () => statSync(join(at, 'playwarden.db-wal')).size;
      const write = async (size: number) => {
        store.meta.set('k', 'x'.repeat(size));
        await store.durable();
      };
      await write(10);
      const reader = new Database(join(at, 'playwarden.db'));
      reader.exec('BEGIN');
      reader.prepare('SELECT count(*) FROM meta').get();
      while (bytes() < LONG_LOG_BYTES) await write(200_000);
      for (let n = 0; n < 200; n++) await write(2_000);
      expect(bytes()).toBeGreaterThanOrEqual(LONG_LOG_BYTES);
      reader.exec('ROLLBACK');
      reader.close();
      for (let n = 0; bytes() >= LONG_LOG_BYTES && n < 5_000; n++) {
        store.clock.advance(1_000);
        await write(2_000);
      }
      expect(bytes()).toBeLessThan(LONG_LOG_BYTES);
    },
    LONG_MS,
  );
});

it(
  'D11: a damaged database beside a log of more than 2 GiB is rebuilt',
  async () => {
    const at = dir();
    const first = open(at);
    first.log.append(many(300));
    const { epoch } = first.log.ends();
    await first.close();
    const wal = openSync(join(at, 'playwarden.db-wal'), 'r+');
    ftruncateSync(wal, 2 ** 31 + 4096);
    closeSync(wal);
    const db = openSync(join(at, 'playwarden.db'), 'r+');
    writeSync(db, 'junkjunk', 0);
    closeSync(db);
    const next = open(at);
    expect(next.findings).toMatchObject([{ event_type: 'tamper_suspected' }]);
    expect(readAll(next, { epoch, offset: 0 }).entries.filter((e) => e.epoch === epoch)).toHaveLength(300);
    await next.close();
    for (const name of corruptFiles(at)) truncateSync(join(at, name), 0);
  },
  LONG_MS,
);
