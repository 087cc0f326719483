/** Damage that no check sees and the store meets while it opens: the same start rebuilds (contract D11, C5). */
import { describe, expect, it, vi } from 'vitest';
import { corruptFiles, many, readAll, stores, tempDirs } from './helpers.ts';

const failing = vi.hoisted(() => ({ times: 0 }));
vi.mock('../../src/store/store.ts', async (original) => {
  const { SqliteStore } = await original<typeof import('../../src/store/store.ts')>();
  class MeetsDamage extends SqliteStore {
    constructor(...given: ConstructorParameters<typeof SqliteStore>) {
      if (failing.times-- > 0) {
        const malformed = { code: 'SQLITE_CORRUPT', rawCode: 11 };
        throw Object.assign(new Error('database disk image is malformed'), malformed);
      }
      super(...given);
    }
  }
  return { SqliteStore: MeetsDamage };
});

const dir = tempDirs();
const open = stores();

describe('a database that cannot be used though it looks whole', () => {
  it('D11: is kept aside and rebuilt in the same start, and told', async () => {
    const at = dir();
    const first = open(at);
    first.log.append(many(3));
    await first.close();
    failing.times = 1;
    const store = open(at);
    expect(store.findings[0]).toMatchObject({
      event_type: 'tamper_suspected',
      data: { found: ['unreadable'], saved_events: 3 },
    });
    expect(corruptFiles(at)).not.toEqual([]);
    expect(readAll(store, store.log.oldest()).entries).toHaveLength(3);
  });

  it('C5: one that cannot be used rebuilt either is one sentence and exit code 74', () => {
    const at = dir();
    failing.times = 2;
    expect(() => open(at)).toThrow(expect.objectContaining({ exitCode: 74 }));
  });
});
