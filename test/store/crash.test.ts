import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { newIdentity, writeIdentity } from '../../src/store/identity.ts';
import { corruptFiles, many, runner, stores, tempDirs } from './helpers.ts';

const dir = tempDirs();
const open = stores();
const run = runner();

describe('the end of a run', () => {
  it('D4 E5: kill -9 at any moment loses no appended event and never changes the epoch', async () => {
    const at = dir();
    const rounds = 8;
    let appended = 0;
    let epoch: string | null = null;
    for (let round = 0; round < rounds; round++) {
      const { start, appended: told, child, ended } = await run({ dir: at, end: 'stay' });
      epoch ??= start.epoch;
      expect(start.epoch).toBe(epoch);
      expect(start.findings).toEqual([]);
      // An event may be appended whose offset the child had no time to tell.
      expect(start.events.length).toBeGreaterThanOrEqual(appended);
      expect(start.events.map((e) => e.offset)).toEqual(start.events.map((_, i) => i + 1));
      await pause(20 + Math.random() * 120);
      child.kill('SIGKILL');
      await ended;
      appended = Math.max(start.events.length, told.at(-1) ?? 0);
    }
    expect(appended).toBeGreaterThan(rounds);
    expect(corruptFiles(at)).toEqual([]);
  }, 60_000);

  it('E5 D5: no clean stop and another boot: a new epoch, and a gap of unknown size between', async () => {
    const at = dir();
    const first = await run({ dir: at, append: 20, end: 'kill' });
    const second = await run({ dir: at, bootId: 'boot-2', append: 1, end: 'kill' });
    expect(second.start.epoch).not.toBe(first.start.epoch);
    expect(second.start.findings).toEqual([]);
    expect(second.start.events).toHaveLength(20);
    expect(second.start.gaps).toEqual([
      {
        from: { epoch: first.start.epoch, offset: 20 },
        to: { epoch: second.start.epoch, offset: 0 },
        lost: null,
        reason: 'unclean_boot',
      },
    ]);
    expect(second.appended).toEqual([1]);
  });

  it('D5: a first start that a power loss has ended is done again: nothing was promised yet', async () => {
    const at = dir();
    writeIdentity(join(at, 'store.key'), newIdentity());
    for (const name of ['high-water', 'playwarden.db', 'playwarden.db-wal'])
      writeFileSync(join(at, name), '');
    const { start } = await run({ dir: at, append: 3, end: 'kill' });
    expect(start.findings).toEqual([]);
    expect((await run({ dir: at, end: 'kill' })).start.events).toHaveLength(3);
    expect(corruptFiles(at)).toEqual([]);
  });

  it('E5: a clean stop keeps the epoch over a boot', async () => {
    const at = dir();
    const first = await run({ dir: at, append: 20, end: 'clean' });
    const second = await run({ dir: at, bootId: 'boot-2', end: 'clean' });
    expect(second.start.epoch).toBe(first.start.epoch);
    expect(second.start).toMatchObject({ findings: [], gaps: [] });
  });

  it('E2: after a crash everything kept may have been sent before; after a clean stop only what was', async () => {
    const at = dir();
    const store = open(at);
    store.log.append(many(5));
    const { epoch } = store.log.ends();
    store.clients.open('a');
    store.clients.acknowledge('a', { epoch, offset: 2 });
    await store.durable();
    const copy = dir();
    cpSync(at, copy, { recursive: true });
    expect(open(copy).clients.get('a')).toMatchObject({ cursor: { offset: 2 }, sent: { offset: 5 } });
    await store.close();
    expect(open(at).clients.get('a')).toMatchObject({ cursor: { offset: 2 }, sent: { offset: 2 } });
  });

  it('E2: what may have been sent before a crash still counts after the clean stop that follows', async () => {
    const at = dir();
    const store = open(at);
    store.log.append(many(5));
    store.clients.open('a');
    await store.durable();
    const copy = dir();
    cpSync(at, copy, { recursive: true });
    const after = open(copy);
    await after.close();
    expect(open(copy).clients.get('a')).toMatchObject({ cursor: null, sent: { offset: 5 } });
  });

  it('E2: a client that came a moment before the crash may have been sent everything, too', () => {
    const at = dir();
    const store = open(at);
    store.log.append(many(5));
    store.clients.open('new');
    const copy = dir();
    cpSync(at, copy, { recursive: true });
    expect(open(copy).clients.get('new')).toMatchObject({ cursor: null, sent: { offset: 5 } });
  });

  it('E2: records put back from before say nothing of what was sent since, to a client they know or do not know', async () => {
    const at = dir();
    const store = open(at);
    store.log.append(many(5));
    store.clients.open('known');
    store.clients.acknowledge('known', { epoch: store.log.ends().epoch, offset: 2 });
    await store.close();
    const before = readFileSync(join(at, 'playwarden.db'));
    const between = open(at);
    expect(between.clients.get('known')).toMatchObject({ sent: { offset: 2 } });
    expect(between.clients.open('new')).toMatchObject({ sent: null });
    for (const client of ['known', 'new']) between.clients.markSent(client, between.log.latest());
    between.log.append(many(1));
    await between.close();
    writeFileSync(join(at, 'playwarden.db'), before);
    rmSync(join(at, 'playwarden.db-wal'), { force: true });
    const after = open(at);
    const { epoch } = after.log.ends();
    expect(after.log.oldest()).toMatchObject({ epoch: store.log.ends().epoch, offset: 0 });
    after.log.append(many(2));
    for (const client of ['known', 'new']) {
      expect(after.clients.open(client)).toMatchObject({ sent: { epoch, offset: 0 } });
    }
    await after.close();
    // In a later run too, which has met no damage itself.
    expect(open(at).clients.open('another')).toMatchObject({ sent: { epoch, offset: 0 } });
  });

  it('C6: every file of the store is for its owner only', async () => {
    const at = dir();
    await run({ dir: at, append: 20, end: 'kill' });
    for (const file of readdirSync(at)) {
      expect([file, (statSync(join(at, file)).mode & 0o777).toString(8)]).toEqual([file, '600']);
    }
    expect(readdirSync(at)).toContain('playwarden.db');
  });
});
