/** The long poll with a fake clock: what it acknowledges, what it returns, how long it waits (contract D8). */
import { beforeEach, describe, expect, test } from 'vitest';
import type { PollQuery } from '../../src/protocol/http.ts';
import type { Position } from '../../src/protocol/position.ts';
import type { Reply } from '../../src/transport/http-message.ts';
import { PollAdapter } from '../../src/transport/poll-adapter.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { MemoryClients, MemoryLog, numbered } from '../helpers/memory-store.ts';

let clock: FakeClock;
let log: MemoryLog;
let clients: MemoryClients;
let polls: PollAdapter;
let moves: [string, Position | null, Position][];

beforeEach(() => {
  clock = new FakeClock();
  log = new MemoryLog('e1');
  clients = new MemoryClients(log, () => clock.wall());
  moves = [];
  polls = new PollAdapter({ log, clients, clock, cursorMoved: (...move) => moves.push(move) });
  log.onAppend(() => polls.wake());
});

const append = (count: number) => {
  for (let i = 1; i <= count; i += 1) log.append([numbered(i)]);
};

function start(query: PollQuery = {}, client = 'c1') {
  const aborts: (() => void)[] = [];
  const state = { reply: null as Reply | null, abort: () => aborts.forEach((fn) => void fn()) };
  const reply = polls.poll(client, query, (fn) => aborts.push(fn));
  const done = Promise.resolve(reply).then((settled) => {
    state.reply = settled;
    return settled;
  });
  return Object.assign(state, { done });
}

/** One poll whose answer is written whole, or not. */
async function poll(query: PollQuery = {}, { written = true, client = 'c1' } = {}) {
  const reply = await start(query, client).done;
  reply.onWritten?.(written);
  return body(reply);
}

function body(reply: Reply) {
  const parsed = JSON.parse(reply.body);
  return { ...parsed, offsets: parsed.events?.map((e: { meta: { offset: number } }) => e.meta.offset) };
}

const cursor = (client = 'c1') => clients.get(client)?.cursor ?? null;
const at = (offset: number, epoch = 'e1') => ({ epoch, offset });

describe('D8 without after', () => {
  test('returns what follows the cursor and acknowledges it with the next poll of the same client', async () => {
    append(3);
    expect(await poll()).toMatchObject({
      status: 'success',
      offsets: [1, 2, 3],
      count: 3,
      epoch: 'e1',
      next_after: 3,
      has_more: false,
      gap: null,
    });
    expect(cursor()).toBeNull();
    append(1);
    expect((await poll()).offsets).toEqual([4]);
    expect(cursor()).toEqual(at(3));
    expect(moves).toEqual([['c1', null, at(3)]]);
  });

  test('an answer that was not written whole acknowledges nothing: the same events again, as redelivered', async () => {
    append(2);
    await poll({}, { written: false });
    const again = await poll();
    expect(again.offsets).toEqual([1, 2]);
    expect(again.events.map((e: { meta: { redelivered: boolean } }) => e.meta.redelivered)).toEqual([
      true,
      true,
    ]);
  });

  test('another client takes nothing away', async () => {
    append(2);
    await poll();
    expect((await poll({}, { client: 'c2' })).offsets).toEqual([1, 2]);
    expect(cursor()).toBeNull();
  });

  test('limit pages through', async () => {
    append(5);
    expect(await poll({ limit: 2 })).toMatchObject({ offsets: [1, 2], has_more: true });
    expect(await poll({ limit: 2 })).toMatchObject({ offsets: [3, 4], has_more: true });
    expect(await poll({ limit: 2 })).toMatchObject({ offsets: [5], has_more: false });
    expect(await poll({ limit: 2 })).toMatchObject({ offsets: [], count: 0, next_after: 5 });
  });
});

describe('D8 with after', () => {
  test('acknowledges up to there and returns what follows', async () => {
    append(5);
    expect((await poll({ after: 3 })).offsets).toEqual([4, 5]);
    expect(cursor()).toEqual(at(3));
  });

  test('below the cursor it reads again and never moves the cursor back', async () => {
    append(5);
    await poll({ after: 4 });
    expect((await poll({ after: 1 })).offsets).toEqual([2, 3, 4, 5]);
    expect(cursor()).toEqual(at(4));
  });

  test('the same after again brings the same again: an answer that died unread loses nothing', async () => {
    append(5);
    await poll({ after: 2 });
    expect((await poll({ after: 2 })).offsets).toEqual([3, 4, 5]);
    expect(cursor()).toEqual(at(2));
  });

  test('a poll with after takes the place of what the one before would have acknowledged', async () => {
    append(5);
    await poll({ limit: 4 });
    expect((await poll({ after: 2 })).offsets).toEqual([3, 4, 5]);
    expect(cursor()).toEqual(at(2));
  });

  test('above the last offset it is 409 and changes nothing', async () => {
    append(5);
    const reply = await start({ after: 6 }).done;
    expect(reply.status).toBe(409);
    expect(cursor()).toBeNull();
  });

  test("E5 without epoch it is of the cursor's epoch; an unknown epoch reads from the oldest", async () => {
    append(2);
    await poll({ after: 1 });
    log.newEpoch('e2');
    append(2);
    expect(await poll({ after: 2 })).toMatchObject({
      epoch: 'e2',
      offsets: [1, 2],
      gap: { from: at(2), to: at(0, 'e2') },
    });
    expect(cursor()).toEqual(at(2));
    expect(await poll({ after: 1, epoch: 'e2' })).toMatchObject({ offsets: [2], gap: null });
    expect(await poll({ after: 7, epoch: 'gone' })).toMatchObject({
      offsets: [1, 2],
      epoch: 'e1',
      has_more: true,
      gap: { from: at(7, 'gone'), lost: null },
    });
    expect(cursor()).toEqual(at(1, 'e2'));
  });

  test('D7 after=0 without epoch, with nothing acknowledged yet, goes on from where the client was first seen', async () => {
    append(6);
    log.trim(2);
    expect(await poll({ after: 0 })).toMatchObject({ offsets: [3, 4, 5, 6], gap: null });
    log.trim(2);
    log.newEpoch('e2');
    expect(await poll({ after: 0 })).toMatchObject({
      offsets: [5, 6],
      gap: { from: at(2), to: at(4), lost: 2, reason: 'retention' },
    });
    expect(cursor()).toBeNull();
    expect(await poll({ after: 5, epoch: 'e1' })).toMatchObject({ offsets: [6], gap: null });
    expect(await poll({ after: 0 })).toMatchObject({ offsets: [5, 6], gap: { from: at(0), to: at(4) } });
  });

  test('D7 what retention took stands in gap, and is over once it is passed', async () => {
    append(6);
    await poll({ after: 1 });
    log.trim(4);
    expect(await poll({ after: 1 })).toMatchObject({
      offsets: [5, 6],
      gap: { from: at(1), to: at(4), lost: 3 },
    });
    expect(await poll({ after: 6 })).toMatchObject({ offsets: [], gap: null });
  });

  test('D7 a gap with nothing after it is an answer of its own', async () => {
    append(2);
    await poll({ after: 2 });
    log.newEpoch('e2');
    expect(await poll({ wait: 5 })).toMatchObject({
      offsets: [],
      gap: { from: at(2) },
      epoch: 'e2',
      next_after: 0,
    });
    expect(await poll()).toMatchObject({ gap: null, epoch: 'e2', next_after: 0 });
  });
});

describe('D8 wait', () => {
  test('holds the answer until there is something', async () => {
    const waiting = start({ wait: 20 });
    clock.advance(10_000);
    await Promise.resolve();
    expect(waiting.reply).toBeNull();
    append(1);
    expect(body(await waiting.done).offsets).toEqual([1]);
    expect(clock.pendingTimers).toBe(0);
  });

  test('ends empty when the time is over', async () => {
    const waiting = start({ wait: 2.5 });
    clock.advance(2_500);
    expect(body(await waiting.done)).toMatchObject({ offsets: [], count: 0, next_after: 0, gap: null });
  });

  test("a second poll of the same client ends the waiting one at once, another client's does not", async () => {
    const first = start({ wait: 20 });
    const other = start({ wait: 20 }, 'c2');
    const second = start({ wait: 20 });
    expect(body(await first.done)).toMatchObject({ offsets: [], count: 0 });
    append(1);
    expect(body(await second.done).offsets).toEqual([1]);
    expect(body(await other.done).offsets).toEqual([1]);
  });

  test('the client goes while the poll waits: nothing is taken, nothing is left', async () => {
    const waiting = start({ wait: 20 });
    waiting.abort();
    await waiting.done;
    expect(clock.pendingTimers).toBe(0);
    append(1);
    const next = await poll();
    expect(next.offsets).toEqual([1]);
    expect(next.events[0].meta.redelivered).toBe(false);
  });

  test('C4 a stop answers waiting polls, and no poll waits after it', async () => {
    const waiting = start({ wait: 20 });
    polls.stop();
    expect(body(await waiting.done)).toMatchObject({ offsets: [] });
    expect(body(await start({ wait: 20 }).done)).toMatchObject({ offsets: [] });
    expect(clock.pendingTimers).toBe(0);
  });

  test('D9 what the socket acknowledged meanwhile is not returned', async () => {
    append(3);
    await poll({ after: 3 });
    const waiting = start({ wait: 20 });
    log.onAppend(() => {});
    clients.acknowledge('c1', at(3));
    append(1);
    expect(body(await waiting.done).offsets).toEqual([4]);
  });
});

describe('H1 H2 clients', () => {
  test('a ninth is 409, one unseen for 30 days makes room', async () => {
    for (let i = 1; i <= 8; i += 1) await poll({}, { client: `c${i}` });
    expect((await start({}, 'c9').done).status).toBe(409);
    clock.advance(31 * 24 * 3_600_000);
    expect((await start({}, 'c9').done).status).toBe(200);
  });

  test('counts as connected while it waits and for a while after', async () => {
    expect(polls.polled('c1', 6_000)).toBe(false);
    const waiting = start({ wait: 20 });
    clock.advance(19_000);
    expect(polls.polled('c1', 6_000)).toBe(true);
    clock.advance(1_000);
    await waiting.done;
    clock.advance(6_000);
    expect(polls.clientsWithin(6_000)).toEqual(['c1']);
    clock.advance(1);
    expect(polls.clientsWithin(6_000)).toEqual([]);
  });

  test('leaving ends its poll and its being connected; the cursor stays', async () => {
    append(2);
    await poll({ after: 1 });
    const waiting = start({ after: 2, wait: 20 });
    polls.leave('c1');
    await waiting.done;
    expect(polls.polled('c1', 6_000)).toBe(false);
    expect(cursor()).toEqual(at(2));
  });
});
