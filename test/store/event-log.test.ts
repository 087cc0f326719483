import { join } from 'node:path';
import fc from 'fast-check';
import Database from 'libsql';
import { describe, expect, it } from 'vitest';
import type { EventBody } from '../../src/protocol/events.ts';
import type { Position } from '../../src/protocol/position.ts';
import type { SqliteEventLog } from '../../src/store/event-log.ts';
import { many, notification, readAll, started, stores, tempDirs } from './helpers.ts';

const dir = tempDirs();
const open = stores();

describe('the event log', () => {
  it('E2: offsets count from 1 without holes; ids are UUIDv7 and rise', () => {
    const { log } = open(dir());
    const entries = [...log.append(many(3)), ...log.append(many(2))];
    expect(entries.map((e) => e.offset)).toEqual([1, 2, 3, 4, 5]);
    const ids = entries.map((e) => e.id);
    expect(ids).toEqual([...ids].sort());
    for (const id of ids)
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(entries[0]?.ts).toBe('2026-01-15T16:00:00.000Z');
  });

  it('E2: no event holds half a surrogate pair, which would hold up a client that refuses it', () => {
    const { log } = open(dir());
    const [entry] = log.append([started(1, '\ud83d')]);
    expect(entry?.body).toContain('"RobloxPlayerBeta.exe\ufffd"');
  });

  it('E5: an event keeps its epoch, offset, id and body over a clean restart', async () => {
    const at = dir();
    const first = open(at);
    const written = first.log.append(many(5));
    await first.close();
    const { log } = open(at);
    expect(readAll({ log } as never, log.oldest()).entries).toEqual(written);
    expect(log.append(many(1))[0]).toMatchObject({ epoch: written[0]?.epoch, offset: 6 });
  });

  it('E5: a page never mixes epochs: the old one ends, then comes one gap, then the new one', async () => {
    const { log } = open(dir());
    log.append(many(3));
    const old = log.ends().epoch;
    (log as SqliteEventLog).beginEpoch('disk_full', 7);
    log.append(many(2));
    const first = log.read({ epoch: old, offset: 1 }, 100);
    expect(first).toMatchObject({ gap: null, next: { epoch: old, offset: 3 }, hasMore: true });
    const { epoch } = log.ends();
    const second = log.read(first.next, 100);
    expect(second.gap).toEqual({
      from: { epoch: old, offset: 3 },
      to: { epoch, offset: 0 },
      lost: 7,
      reason: 'disk_full',
    });
    expect(second.entries.map((e) => [e.epoch, e.offset])).toEqual([
      [epoch, 1],
      [epoch, 2],
    ]);
    expect(second.hasMore).toBe(false);
  });

  it('a page holds at most its limit and about 1 MiB, and says that there is more', () => {
    const { log } = open(dir());
    log.append(Array.from({ length: 30 }, (_, n) => started(n, 'x'.repeat(100_000))));
    const page = log.read(log.oldest(), 500);
    expect(page.entries.length).toBe(10);
    expect(page.hasMore).toBe(true);
    expect(log.read(log.oldest(), 3).entries.length).toBe(3);
  });

  it('as is a list of one type', () => {
    const { log } = open(dir());
    const long: EventBody = {
      type: 'notification',
      data: { title: 't', message: 'x'.repeat(100_000), type: 'message' },
    };
    log.append(Array.from({ length: 30 }, () => long));
    expect(log.readType(log.oldest(), 'notification', 500).length).toBe(10);
    expect(log.readType({ ...log.oldest(), offset: 27 }, 'notification', 500).length).toBe(3);
  });

  it('events of one type are read and counted by themselves', () => {
    const { log } = open(dir());
    const start = log.oldest();
    log.append([started(1), notification(1), started(2), notification(2)]);
    expect(log.readType(start, 'notification', 10).map((e) => e.offset)).toEqual([2, 4]);
    expect(log.readType({ ...start, offset: 2 }, 'notification', 10).map((e) => e.offset)).toEqual([4]);
    expect(log.count(start)).toBe(4);
    expect(log.count(start, 'notification')).toBe(2);
    expect(log.count({ ...start, offset: 1 }, 'roblox_event')).toBe(1);
  });

  it('listeners hear of each commit once, after it, and not after they stopped', () => {
    const store = open(dir());
    const heard: number[] = [];
    const stop = store.log.onAppend(() => heard.push(store.log.latest().offset));
    store.log.append(many(2));
    store.commit(() => {
      store.log.append(many(1));
      store.commit(() => store.log.append(many(1)));
      expect(heard).toEqual([2]);
    });
    store.commit(() => store.meta.set('k', 'v'));
    stop();
    store.log.append(many(1));
    expect(heard).toEqual([2, 4]);
  });

  it('a commit that throws leaves nothing behind, and its offsets are given to what comes next', () => {
    const store = open(dir());
    store.log.append(many(1));
    expect(() =>
      store.commit(() => {
        store.log.append(many(3));
        store.meta.set('k', 'v');
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(store.meta.get('k')).toBeNull();
    expect(store.log.append([notification(9)])[0]?.offset).toBe(2);
    expect(readAll(store, store.log.oldest()).entries.at(-1)?.body).toContain('n9');
  });

  it('D8: an offset never given is ahead; the ends of an empty log are one apart', () => {
    const { log } = open(dir());
    const { epoch } = log.ends();
    expect(log.ends()).toEqual({ epoch, firstOffset: 1, lastOffset: 0 });
    expect(log.locate({ epoch, offset: 1 })).toBe('ahead');
    expect(log.read({ epoch, offset: 0 }, 10)).toEqual({
      gap: null,
      entries: [],
      next: { epoch, offset: 0 },
      hasMore: false,
    });
  });

  it('E5: an unknown epoch reads from the oldest event kept', () => {
    const { log } = open(dir());
    log.append(many(2));
    expect(log.locate({ epoch: 'elsewhere', offset: 41 })).toBe('unknown');
    expect(log.read({ epoch: 'elsewhere', offset: 41 }, 10).entries.map((e) => e.offset)).toEqual([1, 2]);
  });
});

describe('a row that is damaged while the agent runs', () => {
  it('D7 D11: becomes a gap of its own, and is told once', async () => {
    const at = dir();
    const first = open(at);
    first.log.append(many(20));
    await first.close();
    const store = open(at);
    const other = new Database(join(at, 'playwarden.db'));
    other.exec("UPDATE events SET body = '{}' WHERE (seq & 0xffff) IN (5, 6)");
    other.exec('DELETE FROM events WHERE (seq & 0xffff) = 9');
    const { epoch } = store.log.ends();
    const { entries, gaps } = readAll(store, store.log.oldest());
    expect(entries.map((e) => e.offset)).toEqual([
      1, 2, 3, 4, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
    ]);
    expect(gaps.map((g) => [g.from.offset, g.to.offset, g.lost, g.reason])).toEqual([
      [4, 6, 2, 'damage'],
      [8, 9, 1, 'damage'],
    ]);
    expect(store.log.nextGap({ epoch, offset: 6 })).toMatchObject({ lost: 1 });
    await Promise.resolve();
    expect(store.log.readType(store.log.oldest(), 'agent_event', 9).map((e) => e.offset)).toEqual([21]);
  });
});

describe('retention', () => {
  it('D7: the oldest go at the cap and are told as a gap with their number', () => {
    const store = open(dir());
    store.log.append(many(250));
    const { epoch } = store.log.ends();
    store.prune({ max_events: 100, max_days: 30 });
    expect(store.log.ends()).toEqual({ epoch, firstOffset: 151, lastOffset: 250 });
    const page = store.log.read({ epoch, offset: 20 }, 10);
    const from = { epoch, offset: 20 };
    expect(page.gap).toEqual({ from, to: { epoch, offset: 150 }, lost: 130, reason: 'retention' });
    expect(store.log.nextGap({ epoch, offset: 150 })).toBeNull();
  });

  it('D7: events older than max_days go, by the trusted time', () => {
    const store = open(dir());
    store.log.append(many(5));
    store.clock.advance(2 * 86_400_000);
    store.log.append(many(5));
    store.prune({ max_events: 100, max_days: 1 });
    expect(store.log.ends()).toMatchObject({ firstOffset: 6, lastOffset: 10 });
  });

  it('offsets go on after everything was dropped, over a restart too', async () => {
    const at = dir();
    const store = open(at);
    store.log.append(many(5));
    store.clock.advance(2 * 86_400_000);
    store.prune({ max_events: 100, max_days: 1 });
    expect(store.log.ends()).toMatchObject({ firstOffset: 6, lastOffset: 5 });
    await store.close();
    const { log } = open(at);
    expect(log.append(many(1))[0]?.offset).toBe(6);
  });

  it('a large cut is made in portions', () => {
    const store = open(dir());
    for (let n = 0; n < 25; n++) store.log.append(many(1_000));
    store.prune({ max_events: 100, max_days: 30 });
    expect(store.log.count(store.log.oldest())).toBe(15_000);
    store.clock.advance(100);
    expect(store.log.count(store.log.oldest())).toBe(100);
  });

  it('K2: results of commands go after 30 days', () => {
    const store = open(dir());
    const command = { command: 'resume', command_id: 'c1', child_profile: null, parameters: {} } as const;
    store.commands.accept({
      commandId: 'c1',
      bodyHash: 'h',
      command,
      acceptedMs: store.clock.wall(),
      answer: null,
    });
    store.clock.advance(29 * 86_400_000);
    store.prune({ max_events: 100, max_days: 30 });
    expect(store.commands.get('c1')).not.toBeNull();
    store.clock.advance(2 * 86_400_000);
    store.prune({ max_events: 100, max_days: 30 });
    expect(store.commands.get('c1')).toBeNull();
  });
});

describe('a reader against a model', () => {
  type Step = { append: number } | { cut: number } | { epoch: number | null } | { restart: true };
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ append: fc.integer({ min: 1, max: 700 }) }),
    fc.record({ cut: fc.integer({ min: 1, max: 300 }) }),
    fc.record({ epoch: fc.option(fc.nat(9)) }),
    fc.record({ restart: fc.constant(true as const) }),
  );

  it('D2 D7: from any position a reader gets each kept event once, in order, and each loss once', async () => {
    const runs = fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 12 }),
      fc.nat(),
      fc.integer({ min: 1, max: 600 }),
      async (steps, pick, limit) => {
        const at = dir();
        let store = open(at);
        /** What was given, in order; `lost` for a border. */
        let given: { position: Position; kept: boolean }[] = [];
        const borders = new Map<string, number | null>();
        for (const s of steps) {
          if ('append' in s) {
            const entries = store.log.append(many(s.append));
            given.push(...entries.map(({ epoch, offset }) => ({ position: { epoch, offset }, kept: true })));
          } else if ('cut' in s) {
            const max_events = s.cut;
            store.prune({ max_events, max_days: 30 });
            const keptFrom = given.length - Math.min(given.filter((g) => g.kept).length, max_events);
            given = given.map((g, i) => ({ ...g, kept: g.kept && i >= keptFrom }));
          } else if ('epoch' in s) {
            (store.log as SqliteEventLog).beginEpoch('disk_full', s.epoch);
            borders.set(store.log.ends().epoch, s.epoch);
          } else {
            await store.close();
            store = open(at);
          }
        }
        const start = given.length === 0 ? store.log.oldest() : given[pick % given.length]!.position;
        const index = given.findIndex((g) => g.position === start);
        const { entries, gaps } = readAll(store, start, limit);
        const expected = given.slice(index + 1).filter((g) => g.kept);
        expect(entries.map(({ epoch, offset }) => ({ epoch, offset }))).toEqual(
          expected.map((g) => g.position),
        );

        const startEpoch = start.epoch;
        const crossed = [...borders.entries()].slice([...borders.keys()].indexOf(startEpoch) + 1);
        const dropped = given.slice(index + 1).filter((g) => !g.kept).length;
        const lost = crossed.some(([, n]) => n === null)
          ? null
          : dropped + crossed.reduce((sum, [, n]) => sum + (n ?? 0), 0);
        const told = gaps.some((g) => g.lost === null)
          ? null
          : gaps.reduce((sum, g) => sum + (g.lost ?? 0), 0);
        expect(told).toBe(lost);
        expect(store.log.count(start)).toBe(expected.length);
        await store.close();
      },
    );
    await fc.assert(runs, { numRuns: 40 });
  }, 60_000);
});
