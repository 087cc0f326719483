import { execFileSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Store } from '../../src/protocol/ports.ts';
import { Backlog, MAX_WAITING_EVENTS } from '../../src/store/backlog.ts';
import { openStore } from '../../src/store/open.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { LONG_TIMEOUT_MS, report, roundsOf } from '../helpers/long-run.ts';
import { ended, many, readAll, started, stores, tempDirs } from './helpers.ts';

const dir = tempDirs();
const open = stores();
const mounted: string[] = [];

afterAll(() => {
  // libsql keeps its descriptors until the process ends.
  for (const at of mounted) execFileSync('umount', ['-l', at]);
});

/** A file system of a few MB; null where it may not be mounted. */
function smallDisk(megabytes: number): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return null;
  const at = dir();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', at], { stdio: 'ignore' });
  } catch {
    return null;
  }
  mounted.push(at);
  return at;
}

const disk = smallDisk(32);
if (disk === null) console.warn('disk-full tests are skipped: a tmpfs cannot be mounted here (needs root)');

function fill(at: string): void {
  const fd = openSync(join(at, 'filler'), 'a');
  for (let size = 64 * 1024; size >= 1; size = Math.floor(size / 2)) {
    try {
      for (;;) writeSync(fd, Buffer.alloc(size));
    } catch {
      // No room for this size; a smaller one may fit.
    }
  }
  closeSync(fd);
  expect(statfsSync(at).bavail).toBe(0);
}

const free = (at: string) => rmSync(join(at, 'filler'), { force: true });

/** Lets the store come to rest: reserve grown, checkpoint done. */
async function rest(store: Store & { clock: FakeClock }): Promise<void> {
  for (let n = 0; n < 4; n++) {
    await store.durable().catch(() => {});
    store.clock.advance(1_000);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await store.durable().catch(() => {});
}

describe.skipIf(disk === null)('D10: a full disk', () => {
  const at = disk ?? '';

  it('events, acknowledgements and commands go on in the room the database kept', async () => {
    const store = open(at, { reserveBytes: 512 * 1024 });
    store.clients.open('a');
    await rest(store);
    fill(at);
    const { epoch } = store.log.ends();
    for (let n = 1; n <= 400; n++) {
      expect(store.log.append([started(n)])).toHaveLength(1);
      store.clients.acknowledge('a', { epoch, offset: n });
      if (n % 100 === 0) await store.durable();
    }
    expect(store.health()).toMatchObject({ ok: true, waiting: 0 });
    free(at);
  });

  it('on a small disk the room that is kept is less, and not nothing', async () => {
    const small = smallDisk(8) ?? '';
    const clock = new FakeClock();
    const store = Object.assign(openStore({ dir: small, bootId: 'boot-1', clock }), { clock });
    await rest(store);
    fill(small);
    for (let n = 1; n <= 400; n++) {
      expect(store.log.append([started(n)])).toHaveLength(1);
      if (n % 100 === 0) await store.durable();
    }
    expect(store.health()).toMatchObject({ ok: true, waiting: 0 });
    await store.close();
  });

  it('a disk with too little room for all of it is not asked each second, and keeps what fits', async () => {
    const small = smallDisk(8) ?? '';
    writeFileSync(join(small, 'other'), Buffer.alloc(6 * 1024 * 1024));
    const store = open(small, { reserveBytes: 1024 * 1024 });
    const reserve = () => statSync(join(small, 'disk-reserve'), { throwIfNoEntry: false })?.size ?? 0;
    store.log.append(many(10));
    await rest(store);
    const kept = reserve();
    expect(kept).toBeGreaterThanOrEqual(128 * 1024);
    expect(kept).toBeLessThan(1024 * 1024);
    const { lastSyncMonotonicMs } = store.health();
    await rest(store);
    expect(store.health().lastSyncMonotonicMs).toBe(lastSyncMonotonicMs);
    expect(store.clock.pendingTimers).toBe(0);

    // With room again it is whole soon after: something is written, and a minute has gone by.
    rmSync(join(small, 'other'));
    store.clock.advance(60_000);
    store.log.append(many(1));
    await rest(store);
    expect(reserve()).toBe(1024 * 1024);
  });

  it('a disk with no room for a reserve is left in peace', async () => {
    const small = smallDisk(8) ?? '';
    writeFileSync(join(small, 'other'), Buffer.alloc(7 * 1024 * 1024 + 600 * 1024));
    const store = open(small, { reserveBytes: 1024 * 1024 });
    store.log.append(many(10));
    await rest(store);
    const { lastSyncMonotonicMs } = store.health();
    await rest(store);
    expect(store.health()).toMatchObject({ ok: true, lastSyncMonotonicMs });
    expect(store.clock.pendingTimers).toBe(0);
  });

  it('acknowledged events go first; what no client has acknowledged waits unsent, and is sent when there is room', async () => {
    const store = open(at, { reserveBytes: 256 * 1024 });
    await rest(store);
    const { epoch, lastOffset } = store.log.ends();
    store.clients.acknowledge('a', { epoch, offset: lastOffset });
    fill(at);
    let given = lastOffset;
    let waiting = 0;
    while (store.health().waiting === 0 && given < lastOffset + 5_000) {
      given += store.log.append([started(given)]).length;
    }
    waiting = store.health().waiting;
    expect(waiting).toBe(1);
    expect(store.health().ok).toBe(false);
    expect(store.log.ends().firstOffset).toBeGreaterThan(1);
    expect(store.log.latest().offset).toBe(given);

    // Nothing else is refused meanwhile, and what was written is what is read.
    const answer = {
      status: 'success',
      command: 'pause',
      command_id: 'c',
      duplicate: false,
      result: 1,
    } as const;
    const command = { command: 'pause', command_id: 'c', child_profile: null, parameters: {} } as const;
    store.commit(() => {
      store.commands.accept({ commandId: 'c', bodyHash: 'h', command, acceptedMs: 1, answer: null });
      store.ledger.apply({
        usage: [{ child: 'kid', day: '2026-01-15', game: '', usedMs: 5, limitMinutes: null }],
        sessions: [ended('kid_1')],
        state: { k: 1 },
      });
      expect(store.log.append(many(2))).toEqual([]);
    });
    expect(store.commands.pending()).toHaveLength(1);
    store.commands.finish('c', answer);
    expect(store.commands.get('c')?.answer).toEqual(answer);
    expect(store.commands.pending()).toEqual([]);
    expect(store.ledger.load()).toMatchObject({ usage: [{ usedMs: 5 }], state: { k: 1 } });
    expect(store.sync.countUnconfirmed()).toBe(1);
    store.sync.put({ sessionId: 'kid_1', confirmed: true, asks: 0, askAtMs: null });
    expect(store.sync.countUnconfirmed()).toBe(0);
    await expect(store.durable()).rejects.toThrow();

    free(at);
    store.clock.advance(1_000);
    expect(store.health().waiting).toBe(0);
    expect(store.log.ends()).toMatchObject({ epoch, lastOffset: given + 3 });
    await rest(store);
    expect(store.health().ok).toBe(true);
    expect(store.commands.get('c')?.answer).toEqual(answer);
    const { entries, gaps } = readAll(store, { epoch, offset: lastOffset });
    expect(gaps).toEqual([]);
    expect(entries).toHaveLength(given + 3 - lastOffset);
  });

  it('what waits beyond 10,000 is counted, and a new epoch says so', async () => {
    const store = open(at, { reserveBytes: 256 * 1024 });
    await rest(store);
    fill(at);
    const before = store.log.latest();
    while (store.health().waiting === 0) store.log.append(many(50));
    const already = store.health().waiting;
    for (let n = 0; n < 101; n++) store.log.append(many(100));
    expect(store.health().waiting).toBe(MAX_WAITING_EVENTS);
    const lost = already + 10_100 - MAX_WAITING_EVENTS;
    free(at);
    store.clock.advance(1_000);
    expect(store.health().waiting).toBe(0);
    const { epoch } = store.log.ends();
    expect(epoch).not.toBe(before.epoch);
    const { entries, gaps } = readAll(store, before);
    expect(gaps).toMatchObject([{ to: { epoch, offset: 0 }, lost, reason: 'disk_full' }]);
    expect(entries.at(-1)).toMatchObject({ epoch, offset: 1 });
    expect(entries.at(-1)?.body).toContain('"events_lost"');
  });

  it(
    'it is filled and freed twenty times: no event is lost, no offset is given twice',
    async () => {
      const store = open(at, { reserveBytes: 256 * 1024 });
      let refusals = 0;
      let made = 0;
      const before = store.log.latest();
      const cycles = roundsOf(20);
      for (let cycle = 0; cycle < cycles; cycle++) {
        fill(at);
        for (let n = 0; store.health().waiting < 20 && n < 2_000; n++, made++) {
          store.log.append([started(n, 'x'.repeat(8_000))]);
        }
        if (store.health().waiting > 0) refusals++;
        free(at);
        store.clock.advance(1_000);
        expect(store.health().waiting).toBe(0);
        store.prune({ max_events: 100, max_days: 30 });
      }
      report('disk full', { cycles, 'full for the store': refusals, appended: made });
      expect(refusals).toBe(cycles);
      expect(refusals).toBeGreaterThan(0);
      expect(store.log.latest()).toEqual({ epoch: before.epoch, offset: before.offset + made });
    },
    LONG_TIMEOUT_MS,
  );

  it('D7 C5: events that still wait at the end are told: by the exit code, and by the next start as a gap', async () => {
    const small = smallDisk(8) ?? '';
    const store = open(small, { reserveBytes: 256 * 1024 });
    await rest(store);
    store.log.append(many(1));
    fill(small);
    while (store.health().waiting === 0) store.log.append(many(50));
    store.log.append(many(7));
    const { waiting } = store.health();
    const before = store.log.latest();
    await expect(store.close()).rejects.toMatchObject({
      exitCode: 74,
      message: expect.stringContaining(`${waiting} events`),
    });
    free(small);
    const next = open(small, { reserveBytes: 256 * 1024, bootId: 'boot-2' });
    expect(next.findings).toMatchObject([{ event_type: 'events_lost', data: { lost: waiting } }]);
    const { epoch } = next.log.ends();
    expect(readAll(next, before).gaps).toEqual([
      { from: before, to: { epoch, offset: 0 }, lost: waiting, reason: 'disk_full' },
    ]);
    next.log.append(next.findings);
    await next.close();
    const third = open(small, { reserveBytes: 256 * 1024, bootId: 'boot-2' });
    expect(third.findings).toEqual([]);
    expect(third.log.ends().epoch).toBe(epoch);
  });

  it('T7 D10: the play of a child is kept where there is no room for events any more, whoever asks meanwhile', async () => {
    const small = smallDisk(8) ?? '';
    const store = open(small, { reserveBytes: 256 * 1024 });
    const play = (usedMs: number) => ({
      usage: [{ child: 'kid', day: '2026-01-15', game: '', usedMs, limitMinutes: null }],
      sessions: [],
      state: { k: usedMs },
    });
    store.ledger.apply(play(1));
    await rest(store);
    fill(small);
    while (store.health().waiting === 0) store.log.append(many(50));
    const command = { command: 'get_live_status', child_profile: 'kid', parameters: {} } as const;
    for (let n = 0; n < 1_000; n++) {
      const commandId = `ask-${n}`;
      const kept = { commandId, bodyHash: 'h'.repeat(64), acceptedMs: 1, answer: null };
      store.commands.accept({ ...kept, command: { ...command, command_id: commandId } });
      if (n % 50 === 0) store.clock.advance(1_000);
    }
    for (let ms = 2; ms <= 60; ms++) {
      store.ledger.apply(play(ms));
      store.clock.advance(1_000);
    }
    store.ledger.apply({ usage: [], sessions: [ended('kid_1')], state: {} });
    expect(store.health().ok).toBe(false);
    await expect(store.close()).rejects.toMatchObject({ exitCode: 74 });
    free(small);
    const next = open(small, { reserveBytes: 256 * 1024 });
    expect(next.ledger.load()).toMatchObject({ usage: [{ usedMs: 60 }], state: { k: 60 } });
    expect(next.sync.countUnconfirmed()).toBe(1);
  });

  it('D7 E5: a kill while events wait is told as a gap of unknown size, and after they were written it is none', async () => {
    const small = smallDisk(8) ?? '';
    const store = open(small, { reserveBytes: 256 * 1024 });
    await rest(store);
    store.log.append(many(1));
    fill(small);
    while (store.health().waiting === 0) store.log.append(many(50));
    const before = store.log.latest();
    // What a kill leaves is what the files hold now.
    const copied = () => {
      const to = dir();
      for (const name of readdirSync(small).filter((each) => each !== 'filler'))
        copyFileSync(join(small, name), join(to, name));
      return to;
    };
    const killed = copied();
    const next = open(killed);
    expect(next.findings).toMatchObject([{ event_type: 'events_lost', data: { lost: null } }]);
    const { epoch } = next.log.ends();
    const gap = { from: before, to: { epoch, offset: 0 }, lost: null, reason: 'disk_full' };
    expect(readAll(next, before).gaps).toEqual([gap]);
    next.log.append(next.findings);
    await next.close();
    const third = open(killed);
    expect(third.findings).toEqual([]);
    expect(third.log.ends().epoch).toBe(epoch);

    free(small);
    store.clock.advance(1_000);
    expect(store.health().waiting).toBe(0);
    const recovered = open(copied());
    expect(recovered.findings).toEqual([]);
    expect(recovered.log.latest()).toEqual(store.log.latest());
  });

  it('a start finds room where the reserve was', async () => {
    const first = open(at, { reserveBytes: 256 * 1024 });
    await rest(first);
    await first.close();
    fill(at);
    const store = open(at, { reserveBytes: 256 * 1024 });
    expect(store.findings).toEqual([]);
    expect(store.log.append(many(1))).toHaveLength(1);
    free(at);
  });
});

describe('the backlog', () => {
  it('D10: keeps 10,000 events and counts the rest', () => {
    const backlog = new Backlog<number>();
    for (let n = 0; n < MAX_WAITING_EVENTS + 5; n++) backlog.addEvent(n);
    expect(backlog.events).toHaveLength(MAX_WAITING_EVENTS);
    expect(backlog.takeLost()).toBe(5);
    expect(backlog.lost).toBe(0);
  });

  it('a later write of a row takes the place of the earlier one, at the end', () => {
    const backlog = new Backlog<number>();
    const write = (key: string, value: number) => backlog.addWrite({ key, value, run: () => {} });
    write('a', 1);
    write('b', 2);
    write('a', 3);
    expect(backlog.writes.map((w) => [w.key, w.value])).toEqual([
      ['b', 2],
      ['a', 3],
    ]);
  });
});
