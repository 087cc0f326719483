/** Where the position is kept, and what a store that fails means. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PositionStore } from '../../src/client/ports.ts';
import { filePositions } from '../../src/client/position-file.ts';
import { PositionKeeper } from '../../src/client/position-keeper.ts';
import type { Position } from '../../src/protocol/position.ts';

const at = (offset: number): Position => ({ epoch: 'e', offset });

describe('the position file', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'playwarden-position-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('keeps what was saved and leaves no draft behind', async () => {
    const store = filePositions(join(folder, 'deep', 'desk.json'));
    expect(await store.load()).toEqual([]);
    await store.save([at(7), { epoch: 'f', offset: 0 }]);
    expect(await store.load()).toEqual([at(7), { epoch: 'f', offset: 0 }]);
    expect(readdirSync(join(folder, 'deep'))).toEqual(['desk.json']);
  });

  it.each(['', '{', '{"version":1}', '{"version":2,"positions":[]}', '[]'])(
    'takes %j as none',
    async (text) => {
      writeFileSync(join(folder, 'desk.json'), text);
      expect(await filePositions(join(folder, 'desk.json')).load()).toEqual([]);
    },
  );
});

describe('the keeper', () => {
  class SlowStore implements PositionStore {
    readonly saved: Position[][] = [];
    #settle: ((error?: Error) => void)[] = [];

    async load(): Promise<Position[]> {
      return [];
    }

    save(positions: readonly Position[]): Promise<void> {
      this.saved.push([...positions]);
      return new Promise((resolve, reject) => {
        this.#settle.push((error) => (error ? reject(error) : resolve()));
      });
    }

    settle(error?: Error): void {
      this.#settle.shift()?.(error);
    }
  }
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  it('counts as acknowledged only what was stored', async () => {
    const store = new SlowStore();
    const keeper = new PositionKeeper(store, []);
    const done = keeper.acknowledge(at(1));
    await turn();
    expect(keeper.position).toBeNull();
    store.settle();
    await done;
    expect(keeper.position).toEqual(at(1));
  });

  it('makes one save of all that is acknowledged while another is under way', async () => {
    const store = new SlowStore();
    const keeper = new PositionKeeper(store, []);
    const all = [keeper.acknowledge(at(1))];
    await turn();
    for (let i = 2; i <= 50; i++) all.push(keeper.acknowledge(at(i)));
    store.settle();
    await turn();
    store.settle();
    await Promise.all(all);
    expect(store.saved).toEqual([[at(1)], [at(50)]]);
  });

  it('rejects when the store refuses, stays where it was, and works again later', async () => {
    const store = new SlowStore();
    const keeper = new PositionKeeper(store, [at(1)]);
    const failed = keeper.acknowledge(at(2));
    await turn();
    store.settle(new Error('disk full'));
    await expect(failed).rejects.toThrow('disk full');
    expect(keeper.position).toEqual(at(1));
    const again = keeper.acknowledge(at(2));
    await turn();
    store.settle();
    await again;
    expect(keeper.position).toEqual(at(2));
  });
});
