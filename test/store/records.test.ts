import { describe, expect, it } from 'vitest';
import type { LedgerPatch, UsageRow } from '../../src/protocol/messages.ts';
import type { ToldProcess } from '../../src/protocol/ports.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { ended, many, session, stores, tempDirs } from './helpers.ts';

const dir = tempDirs();
const open = stores();

const usage = (usedMs: number, more: Partial<UsageRow> = {}): UsageRow => ({
  child: 'kid',
  day: '2026-01-15',
  game: '',
  usedMs,
  limitMinutes: 120,
  ...more,
});

const patch = (more: Partial<LedgerPatch>): LedgerPatch => ({ usage: [], sessions: [], state: {}, ...more });

describe('the ledger', () => {
  it('T7: usage, sessions and the actor’s state are there after a restart', async () => {
    const at = dir();
    const first = open(at);
    first.ledger.apply(
      patch({ usage: [usage(1234.5)], sessions: [session('kid_1')], state: { a: { x: 1 }, b: [2] } }),
    );
    first.ledger.apply(patch({ state: { b: null } }));
    await first.close();
    const { ledger } = open(at);
    expect(ledger.load()).toEqual({ usage: [usage(1234.5)], state: { a: { x: 1 } } });
    expect([ledger.state('a'), ledger.state('b')]).toEqual([{ x: 1 }, null]);
    expect(ledger.session('kid_1')).toEqual(session('kid_1'));
    expect(ledger.session('kid_2')).toBeNull();
  });

  it('T1: usage of a day never shrinks, whatever is written', () => {
    const { ledger } = open(dir());
    ledger.apply(patch({ usage: [usage(60_000)] }));
    ledger.apply(patch({ usage: [usage(10_000, { limitMinutes: null })] }));
    expect(ledger.load().usage).toEqual([usage(60_000, { limitMinutes: null })]);
  });

  it('the snapshot goes back 60 days', () => {
    const { ledger } = open(dir());
    ledger.apply(patch({ usage: [usage(1, { day: '2025-10-01' }), usage(2, { day: '2025-12-01' })] }));
    expect(ledger.load().usage.map((u) => u.day)).toEqual(['2025-12-01']);
  });

  it('history gives the days asked for, one child or all', () => {
    const { ledger } = open(dir());
    const overnight = session('kid_2', { by_day: { '2026-01-16': 20, '2026-01-15': 20 } });
    ledger.apply(
      patch({
        usage: [usage(1), usage(2, { day: '2026-01-16' }), usage(3, { child: 'sis' })],
        sessions: [session('kid_1'), overnight, session('sis_1', { child_profile: 'sis' })],
      }),
    );
    const days = (child: string | null, from: string, to: string) => ledger.history(child, from, to);
    expect(days('kid', '2026-01-16', '2026-01-16').sessions.map((s) => s.session_id)).toEqual(['kid_2']);
    expect(days('kid', '2026-01-16', '2026-01-16').usage.map((u) => u.usedMs)).toEqual([2]);
    expect(days(null, '2026-01-15', '2026-01-15').sessions).toHaveLength(3);
    expect(days('sis', '2026-01-01', '2026-12-31').usage.map((u) => u.usedMs)).toEqual([3]);
  });

  it('a session belongs to the day that was charged beside it, not to the day in UTC', () => {
    const { ledger } = open(dir());
    const late = session('kid_1', { time_start: '2026-01-15T23:30:00.000Z' });
    ledger.apply(patch({ usage: [usage(5, { day: '2026-01-16', game: 'roblox' })], sessions: [late] }));
    expect(ledger.history('kid', '2026-01-15', '2026-01-15').sessions).toEqual([]);
    expect(ledger.history('kid', '2026-01-16', '2026-01-16').sessions).toEqual([late]);
  });
});

describe('confirmation of sessions', () => {
  it('H3: ended sessions wait, oldest first, until they are confirmed; running ones do not', () => {
    const { ledger, sync } = open(dir());
    ledger.apply(
      patch({
        sessions: [ended('b', '2026-01-15T18:00:00.000Z'), ended('a'), session('running')],
      }),
    );
    expect(sync.unconfirmed(10).map((s) => s.session_id)).toEqual(['a', 'b']);
    expect(sync.countUnconfirmed()).toBe(2);
    sync.put({ sessionId: 'a', confirmed: true, asks: 0, askAtMs: null });
    expect(sync.unconfirmed(10).map((s) => s.session_id)).toEqual(['b']);
    expect(sync.countUnconfirmed()).toBe(1);
  });

  it('H3: what is due to be asked for again is known after a restart', async () => {
    const at = dir();
    const first = open(at);
    const due = { sessionId: 'a', confirmed: false, asks: 2, askAtMs: 5_000 };
    first.ledger.apply(patch({ sessions: [ended('a')] }));
    first.sync.put(due);
    await first.close();
    const { sync } = open(at);
    expect(sync.due()).toEqual([due]);
    expect(sync.state('a')).toEqual(due);
    expect(sync.state('b')).toBeNull();
  });
});

describe('commands', () => {
  const command = { command: 'resume', command_id: 'c1', child_profile: 'kid', parameters: {} } as const;
  const record = { commandId: 'c1', bodyHash: 'h', command, acceptedMs: 1, answer: null };
  const answer = {
    status: 'success',
    command: 'resume',
    command_id: 'c1',
    duplicate: false,
    result: { ok: 1 },
  } as const;

  it('K2: a result is kept over a restart; what was accepted and not finished is told apart', async () => {
    const at = dir();
    const first = open(at);
    first.commands.accept(record);
    first.commands.accept({ ...record, commandId: 'c2' });
    first.commands.finish('c1', answer);
    await first.close();
    const { commands } = open(at);
    expect(commands.get('c1')).toEqual({ ...record, answer });
    expect(commands.pending().map((c) => c.commandId)).toEqual(['c2']);
    expect(commands.get('c3')).toBeNull();
  });
});

describe('told processes', () => {
  it('E1: what was told is known to the next run; a pid alone does not name a process', async () => {
    const at = dir();
    const told = (pid: number, startKey: string): ToldProcess => ({
      process: {
        pid,
        startKey,
        game: 'roblox',
        name: 'x',
        path: null,
        command: null,
        user: null,
        startedAwakeMs: 1,
      },
      child: 'kid',
      startedAt: '2026-01-15T16:00:00.000Z',
      found: false,
      closing: null,
    });
    const first = open(at);
    first.told.put(told(7, 'a'));
    first.told.put(told(7, 'b'));
    first.told.put({ ...told(7, 'b'), closing: 'limit' });
    first.told.remove(7, 'a');
    await first.close();
    expect(open(at).told.all()).toEqual([{ ...told(7, 'b'), closing: 'limit' }]);
    // Plays that ended stand beside what the same process is now.
    const ended = [10.5, null].map((endedAwakeMs) => ({ ...told(7, 'b'), endedAwakeMs, bootId: 'boot' }));
    for (const row of ended) open(at).told.putEnded(row);
    open(at).told.removeEnded(ended[0]!);
    expect(open(at).told.ended()).toEqual([ended[1]]);
    expect(open(at).told.all()).toEqual([{ ...told(7, 'b'), closing: 'limit' }]);
    // And one may stand in its place.
    open(at).told.put(ended[0]!);
    expect([open(at).told.all(), open(at).told.ended()]).toEqual([[], [ended[1], ended[0]]]);
  });
});

describe('clients', () => {
  it('H1: eight are remembered, a ninth is refused until one was unseen for 30 days', () => {
    const { clients, clock } = open(dir());
    for (let n = 1; n <= 8; n++) {
      expect(clients.open(`c${n}`)).not.toBeNull();
      clock.advance(1_000);
    }
    expect(clients.open('c9')).toBeNull();
    expect(clients.open('c1')).not.toBeNull();
    clock.advance(30 * 86_400_000 - 5_000);
    expect(clients.open('c9')).not.toBeNull();
    expect(clients.get('c2')).toBeNull();
    expect(clients.get('c1')).not.toBeNull();
  });

  it('H1 E2: one that is here is not forgotten when the trusted clock leaps by a month, nor at the next start', async () => {
    const at = dir();
    const clock = new FakeClock();
    const store = open(at, { clock });
    const { epoch } = store.log.ends();
    store.log.append(many(5));
    store.clients.open('desk');
    store.clients.acknowledge('desk', { epoch, offset: 5 });
    const before = clock.wall();
    clock.wall = () => before + 31 * 86_400_000;
    store.prune({ max_events: 100, max_days: 365 });
    expect(store.clients.get('desk')?.cursor).toEqual({ epoch, offset: 5 });
    expect(store.clients.open('desk')?.cursor).toEqual({ epoch, offset: 5 });
    await store.close();
    const next = open(at, { clock });
    next.prune({ max_events: 100, max_days: 365 });
    expect(next.clients.get('desk')?.cursor).toEqual({ epoch, offset: 5 });
  });

  it('H1: the one that opens is looked up before others are forgotten', async () => {
    const at = dir();
    const first = open(at);
    first.clients.open('desk');
    first.clients.open('other');
    const { epoch } = first.log.ends();
    first.clients.acknowledge('desk', { epoch, offset: 0 });
    await first.close();
    const clock = new FakeClock(5_000_000, first.clock.wall() + 31 * 86_400_000);
    const { clients } = open(at, { clock });
    expect(clients.open('desk')?.cursor).toEqual({ epoch, offset: 0 });
    expect(clients.get('other')).toBeNull();
  });

  it('D8: a cursor moves forward only, in the log’s order', () => {
    const store = open(dir());
    store.log.append(many(10));
    const { epoch } = store.log.ends();
    store.clients.open('a');
    expect(store.clients.get('a')?.cursor).toBeNull();
    expect(store.clients.acknowledge('a', { epoch, offset: 5 })).toEqual({ epoch, offset: 5 });
    expect(store.clients.acknowledge('a', { epoch, offset: 3 })).toEqual({ epoch, offset: 5 });
    expect(store.clients.acknowledge('a', { epoch: 'older', offset: 99 })).toEqual({ epoch, offset: 5 });
  });

  it('D3 D8: cursors and what was sent are there after a clean restart', async () => {
    const at = dir();
    const first = open(at);
    first.log.append(many(10));
    const { epoch } = first.log.ends();
    first.clients.open('a');
    first.clients.acknowledge('a', { epoch, offset: 4 });
    first.clients.markSent('a', { epoch, offset: 7 });
    first.clients.markSent('a', { epoch, offset: 6 });
    await first.close();
    expect(open(at).clients.get('a')).toMatchObject({
      cursor: { epoch, offset: 4 },
      sent: { epoch, offset: 7 },
    });
  });

  it('D5: an acknowledgement is on the disk when durable() settles, and costs no commit of its own', async () => {
    const store = open(dir());
    store.log.append(many(500));
    await store.durable();
    const { epoch } = store.log.ends();
    store.clients.open('a');
    for (let offset = 1; offset <= 500; offset++) store.clients.acknowledge('a', { epoch, offset });
    expect(store.health().unsynced).toBeGreaterThan(0);
    await store.durable();
    expect(store.health().unsynced).toBe(0);
  });
});

describe('meta', () => {
  it('C3: the agent’s id is made once and stays', async () => {
    const at = dir();
    const first = open(at);
    const id = first.meta.get('agent_id');
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    await first.close();
    expect(open(at).meta.get('agent_id')).toBe(id);
  });
});
