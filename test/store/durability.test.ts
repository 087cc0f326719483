import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Durability } from '../../src/store/durability.ts';
import { lockDataDir } from '../../src/store/lock.ts';
import { openStore } from '../../src/store/open.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { many, started, stores, tempDirs } from './helpers.ts';

const dir = tempDirs();
const open = stores();

/** A group fsync over a plain file, with what it calls noted down. */
function durability(clock: FakeClock, options: { fails?: () => boolean; noteFails?: () => boolean } = {}) {
  const walPath = join(dir(), 'wal');
  writeFileSync(walPath, 'x');
  const calls: string[] = [];
  const group = new Durability({
    clock,
    walPath,
    prepare: () => {
      calls.push('prepare');
      if (options.fails?.()) throw new Error('no room');
    },
    covered: (settled) => {
      calls.push(settled ? 'settled' : 'covered');
      if (options.noteFails?.()) throw new Error('no room for the note');
    },
    repair: async () => void calls.push('repair'),
  });
  return { group, calls };
}

describe('group durability', () => {
  it('D5: an fsync begins within 50 ms of the first unsynced commit', () => {
    const clock = new FakeClock();
    const { group, calls } = durability(clock);
    group.touch();
    clock.advance(20);
    group.touch();
    expect(calls).toEqual([]);
    clock.advance(29);
    expect(calls).toEqual(['prepare']);
  });

  it('D5: none while nothing is written', async () => {
    const clock = new FakeClock();
    const { group, calls } = durability(clock);
    group.touch();
    await group.durable();
    calls.length = 0;
    clock.advance(60_000);
    expect(calls).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('D10: a note that the disk refused after a good fsync is made up for without another event', async () => {
    const clock = new FakeClock();
    let refusals = 1;
    const { group } = durability(clock, { noteFails: () => refusals-- > 0 });
    group.touch();
    await group.durable();
    expect(group.error?.message).toBe('no room for the note');
    clock.advance(1_000);
    await expect.poll(() => group.error).toBeNull();
    expect(clock.pendingTimers).toBe(0);
  });

  it('durable() does not wait for the timer, and covers all that was committed before it', async () => {
    const clock = new FakeClock();
    const { group, calls } = durability(clock);
    group.touch();
    const first = group.durable();
    group.touch();
    const second = group.durable();
    await first;
    await second;
    expect(calls).toEqual(['prepare', 'covered', 'prepare', 'settled']);
    expect(group.unsynced).toBe(0);
  });

  it('after a failure it rejects, repairs, and tries again by itself', async () => {
    const clock = new FakeClock();
    let broken = true;
    const { group, calls } = durability(clock, { fails: () => broken });
    group.touch();
    await expect(group.durable()).rejects.toThrow('no room');
    expect(group.error?.message).toBe('no room');
    broken = false;
    calls.length = 0;
    clock.advance(1_000);
    await group.durable();
    expect(calls).toEqual(['repair', 'prepare', 'settled']);
    expect(group.error).toBeNull();
  });

  it('D5: the store says what is not yet on the disk', async () => {
    const store = open(dir());
    expect(store.health()).toMatchObject({ ok: true, unsynced: 0, waiting: 0, reason: null });
    store.log.append(many(1));
    store.log.append(many(1));
    expect(store.health().unsynced).toBe(2);
    await store.durable();
    expect(store.health()).toMatchObject({ ok: true, unsynced: 0 });
  });

  it('an idle store checkpoints after a second, keeps its log, and comes to rest', async () => {
    const at = dir();
    const store = open(at);
    store.log.append(many(1_000));
    await store.durable();
    const before = statSync(join(at, 'playwarden.db')).size;
    store.clock.advance(1_000);
    while (statSync(join(at, 'playwarden.db')).size === before || store.health().unsynced > 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    await store.durable();
    expect(statSync(join(at, 'playwarden.db-wal')).size).toBeGreaterThan(256 * 1024);
    expect(existsSync(join(at, 'disk-reserve'))).toBe(true);
    expect(store.clock.pendingTimers).toBe(0);
  });

  it('closing twice is closing once, and leaves no timer', async () => {
    const store = open(dir());
    store.log.append([started(1)]);
    await Promise.all([store.close(), store.close()]);
    expect(store.clock.pendingTimers).toBe(0);
  });
});

describe('the data directory', () => {
  it('C5: a second agent is refused until the first lets go', () => {
    const at = dir();
    const release = lockDataDir(at);
    expect(() => lockDataDir(at)).toThrow(expect.objectContaining({ exitCode: 75 }));
    release();
    release();
    lockDataDir(at)();
    expect(statSync(join(at, 'lock.db')).mode & 0o777).toBe(0o600);
  });

  it.each(['', 'text', 'x'.repeat(50_000)])(
    'D11: a lock file that was written over (%#) still locks',
    (text) => {
      const at = dir();
      writeFileSync(join(at, 'lock.db'), text);
      const release = lockDataDir(at);
      expect(() => lockDataDir(at)).toThrow(expect.objectContaining({ exitCode: 75 }));
      release();
    },
  );

  it('C5: a directory that refuses is one sentence and exit code 74', () => {
    const at = dir();
    const gone = join(at, 'gone');
    const options = { clock: new FakeClock(), bootId: 'b' };
    expect(() => openStore({ dir: gone, ...options })).toThrow(expect.objectContaining({ exitCode: 74 }));
    mkdirSync(join(at, 'playwarden.db'));
    expect(() => openStore({ dir: at, ...options })).toThrow(expect.objectContaining({ exitCode: 74 }));
    rmSync(join(at, 'playwarden.db'), { recursive: true });
  });
});
