/** Where the position is kept, and what a store that fails means. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PositionStore } from '../../src/client/ports.ts';
import { defaultPositionFile, filePositions } from '../../src/client/position-file.ts';
import { PositionKeeper } from '../../src/client/position-keeper.ts';
import type { Position } from '../../src/protocol/position.ts';
import { FakeClock } from '../helpers/fake-clock.ts';

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
  function keep(...loaded: Position[]) {
    const store = new SlowStore();
    const clock = new FakeClock();
    const told: (Position | null)[] = [];
    const onStored = () => told.push(keeper.position);
    const keeper = new PositionKeeper({ store, clock, onStored }, loaded);
    return { store, clock, told, keeper };
  }
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  it('counts as acknowledged only what was stored', async () => {
    const { store, keeper } = keep();
    const done = keeper.acknowledge([at(1)]);
    await turn();
    expect(keeper.position).toBeNull();
    store.settle();
    await done;
    expect(keeper.position).toEqual(at(1));
  });

  it('makes one save of all that is acknowledged while another is under way', async () => {
    const { store, keeper } = keep();
    const all = [keeper.acknowledge([at(1)])];
    await turn();
    for (let i = 2; i <= 50; i++) all.push(keeper.acknowledge([at(i)]));
    store.settle();
    await turn();
    store.settle();
    await Promise.all(all);
    expect(store.saved).toEqual([[at(1)], [at(50)]]);
  });

  it('rejects when the store refuses, stays where it was, and works again later', async () => {
    const { store, keeper } = keep(at(1));
    const failed = keeper.acknowledge([at(2)]);
    await turn();
    store.settle(new Error('disk full'));
    await expect(failed).rejects.toThrow('disk full');
    expect(keeper.position).toEqual(at(1));
    const again = keeper.acknowledge([at(2)]);
    await turn();
    store.settle();
    await again;
    expect(keeper.position).toEqual(at(2));
  });

  it('saves what was refused again by itself, ever more rarely, and then tells of it', async () => {
    const { store, clock, told, keeper } = keep();
    const failed = keeper.acknowledge([at(1)]);
    await turn();
    store.settle(new Error('disk full'));
    await expect(failed).rejects.toThrow('disk full');
    for (const [failures, ms] of [500, 1_000, 2_000].entries()) {
      clock.advance(ms - 1);
      await turn();
      expect(store.saved).toHaveLength(failures + 1);
      clock.advance(1);
      await turn();
      expect(store.saved).toHaveLength(failures + 2);
      store.settle(new Error('disk full'));
      await turn();
    }
    expect(told).toEqual([]);
    clock.advance(4_000);
    await turn();
    store.settle();
    await turn();
    expect(told).toEqual([at(1)]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('the next acknowledgement saves what was refused with it, one that was made before as well', async () => {
    const { store, clock, keeper } = keep();
    for (const again of [at(1), at(1), at(2)]) {
      const failed = keeper.acknowledge([again]);
      await turn();
      store.settle(new Error('disk full'));
      await expect(failed).rejects.toThrow('disk full');
    }
    expect(store.saved).toEqual([[at(1)], [at(1)], [at(2)]]);
    expect(clock.pendingTimers).toBe(1);
  });

  it('at its close saves what was refused once more, and leaves no timer', async () => {
    const { store, clock, keeper } = keep();
    const failed = keeper.acknowledge([at(1)]);
    await turn();
    store.settle(new Error('disk full'));
    await expect(failed).rejects.toThrow('disk full');
    const closed = keeper.close();
    await turn();
    store.settle(new Error('disk full'));
    await closed;
    expect(store.saved).toHaveLength(2);
    expect(clock.pendingTimers).toBe(0);
  });

  it('stores that it forgot only when it is told to, and nothing that was on its way', async () => {
    const { store, clock, told, keeper } = keep(at(1));
    const acks = [keeper.acknowledge([at(2)])];
    await turn();
    acks.push(keeper.acknowledge([at(3)]));
    keeper.forget();
    expect(keeper.position).toBeNull();
    store.settle();
    await Promise.all(acks);
    expect(keeper.position).toBeNull();
    expect([store.saved, told, clock.pendingTimers]).toEqual([[[at(2)]], [], 0]);
    const stored = keeper.storeForgetting();
    await turn();
    store.settle();
    await stored;
    expect(store.saved).toEqual([[at(2)], []]);
  });
});

describe('the default position file', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('is one for each client of each agent', () => {
    const [a, b] = [{ dataDir: '/var/a' }, { dataDir: '/var/b' }];
    const url = { url: 'http://127.0.0.1:8001', token: 'x' };
    const files = [a, b, url].flatMap((target) =>
      ['desk-1', 'desk-2'].map((id) => defaultPositionFile(target, id)),
    );
    expect(new Set(files).size).toBe(6);
    expect(defaultPositionFile({ dataDir: '/var/../var/a/' }, 'desk-1')).toBe(files[0]);
    expect(defaultPositionFile({ ...url, token: 'rotated' }, 'desk-1')).toBe(files[4]);
  });

  it.runIf(process.platform === 'linux')('heeds an absolute XDG_STATE_HOME and no other', () => {
    const file = () => defaultPositionFile({ dataDir: '/var/a' }, 'desk-1');
    vi.stubEnv('HOME', '/home/kim');
    vi.stubEnv('XDG_STATE_HOME', '/state');
    expect(file()).toMatch(/^\/state\/playwarden-client\/desk-1\./);
    for (const none of ['state', './state', '']) {
      vi.stubEnv('XDG_STATE_HOME', none);
      expect(file()).toMatch(/^\/home\/kim\/\.local\/state\/playwarden-client\//);
    }
  });
});
