/** Another program holds the database (contract C5, D10): writes wait in memory, and a start says so in one sentence. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../src/store/open.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { many, readAll, runner, stores, tempDirs } from './helpers.ts';

const dir = tempDirs();
const open = stores();
const run = runner();

function hold(at: string): () => void {
  const db = new Database(join(at, 'playwarden.db'));
  db.exec('BEGIN IMMEDIATE');
  return () => {
    db.exec('ROLLBACK');
    db.close();
  };
}

describe("somebody else's lock on the database", () => {
  it('D10: events wait unsent, the reserve stays, nothing is dropped, and it recovers by itself', async () => {
    const at = dir();
    const store = open(at);
    store.clients.open('a');
    store.log.append(many(1_000));
    await store.durable();
    store.clock.advance(1_000);
    await expect.poll(() => existsSync(join(at, 'disk-reserve'))).toBe(true);
    store.clients.acknowledge('a', store.log.latest());
    const letGo = hold(at);
    expect(store.log.append(many(2, 1_001))).toEqual([]);
    expect(store.health()).toMatchObject({ ok: false, waiting: 2 });
    store.clock.advance(1_000);
    expect(store.health().waiting).toBe(2);
    expect(existsSync(join(at, 'disk-reserve'))).toBe(true);
    letGo();
    store.clock.advance(1_000);
    expect(store.health().waiting).toBe(0);
    expect(readAll(store, store.log.oldest()).entries).toHaveLength(1_002);
  });

  it('D7 C5: an end meanwhile is exit code 74, and the next start tells what waited, once', async () => {
    const at = dir();
    const store = open(at);
    store.log.append(many(3));
    const before = store.log.latest();
    const letGo = hold(at);
    store.log.append(many(5));
    await expect(store.close()).rejects.toMatchObject({
      exitCode: 74,
      message: expect.stringContaining('5 events'),
    });
    letGo();
    const next = open(at);
    const lost = { event_type: 'events_lost', data: { lost: 5 } };
    expect(next.findings).toMatchObject([lost]);
    expect(readAll(next, before).gaps).toMatchObject([{ lost: 5, reason: 'disk_full' }]);
  });

  it('D11: what the start found is told once, though the first event after it had to wait', async () => {
    const at = dir();
    await run({ dir: at, append: 3, end: 'clean' });
    rmSync(join(at, 'high-water'));
    const store = open(at);
    expect(store.findings).not.toEqual([]);
    const letGo = hold(at);
    store.log.append(store.findings);
    letGo();
    store.clock.advance(1_000);
    expect(store.health().waiting).toBe(0);
    await store.close();
    expect(open(at).findings).toEqual([]);
  });

  it('C5: a start is one sentence and exit code 74, and what is there is not taken for damage', async () => {
    const at = dir();
    const { start } = await run({ dir: at, append: 3, end: 'clean' });
    const letGo = hold(at);
    const held = { dir: at, clock: new FakeClock(), bootId: 'boot-1' };
    expect(() => openStore(held)).toThrow(expect.objectContaining({ exitCode: 74 }));
    letGo();
    const again = await run({ dir: at, end: 'clean' });
    expect(again.start).toMatchObject({ findings: [], epoch: start.epoch });
  });

  it('C5: so is one where it is held for good', async () => {
    const at = dir();
    await run({ dir: at, append: 3, end: 'clean' });
    const db = new Database(join(at, 'playwarden.db'));
    db.exec('PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE');
    const held = { dir: at, clock: new FakeClock(), bootId: 'boot-1' };
    expect(() => openStore(held)).toThrow(expect.objectContaining({ exitCode: 74 }));
    db.exec('ROLLBACK');
    db.close();
    const again = await run({ dir: at, end: 'clean' });
    expect(again.start.findings).toEqual([]);
  });
});
