/** What makes up for a failed fsync of the log (contract D5): a checkpoint that took all of it, and nothing less. */
import { join } from 'node:path';
import Database from 'libsql';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Checkpointer } from '../../src/store/checkpoint.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { many, stores, tempDirs } from './helpers.ts';

const failing = vi.hoisted(() => ({ fsyncs: 0 }));
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  const fdatasync = (fd: number, done: (error: Error | null) => void) => {
    if (failing.fsyncs <= 0) return fs.fdatasync(fd, done);
    failing.fsyncs--;
    setImmediate(() => done(new Error('EIO')));
  };
  return { ...fs, fdatasync };
});

const dir = tempDirs();
const open = stores();
const readers = new Set<() => void>();
afterEach(() => {
  for (const end of readers) end();
  readers.clear();
});

/** Somebody who reads keeps a checkpoint from taking what was written since. */
function reader(path: string): () => void {
  const db = new Database(path);
  db.exec('BEGIN');
  db.prepare('SELECT count(*) FROM sqlite_schema').get();
  const end = () => {
    if (!readers.delete(end)) return;
    db.exec('ROLLBACK');
    db.close();
  };
  readers.add(end);
  return end;
}

describe('D5: after a failed fsync', () => {
  it('nothing counts as on the disk before all of the log was copied, though the next fsync would succeed', async () => {
    const at = dir();
    const store = open(at);
    const end = reader(join(at, 'playwarden.db'));
    store.log.append(many(10));
    failing.fsyncs = 1;
    await expect(store.durable()).rejects.toThrow('EIO');
    await expect(store.durable()).rejects.toThrow('copied');
    expect(store.health()).toMatchObject({ ok: false });
    expect(store.health().unsynced).toBeGreaterThan(0);
    end();
    await store.durable();
    expect(store.health()).toMatchObject({ ok: true, unsynced: 0 });
  });

  it('a repair is a checkpoint of its own, not the one that runs already', async () => {
    const dbPath = join(dir(), 'a.db');
    const db = new Database(dbPath);
    db.exec('PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES (1)');
    let begun = 0;
    const checkpointer = new Checkpointer({
      clock: new FakeClock(),
      dbPath,
      walBytes: () => 0,
      starting: () => void begun++,
      finish: () => false,
      done: () => {},
    });
    expect(await Promise.all([checkpointer.run(), checkpointer.run()])).toEqual([true, true]);
    expect(begun).toBe(1);
    await Promise.all([checkpointer.run(), checkpointer.repair()]);
    expect(begun).toBe(3);
    await checkpointer.stop();
    await expect(checkpointer.repair()).rejects.toThrow();
    await checkpointer.close();
    db.close();
  });
});
