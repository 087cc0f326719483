import { createHash } from 'node:crypto';
import {
  closeSync,
  cpSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { beforeAll, describe, expect, it } from 'vitest';
import { report } from '../helpers/long-run.ts';
import { corruptFiles, type RunStart, runner, tempDirs } from './helpers.ts';

const dir = tempDirs();
const run = runner();

const CHECKPOINTED = 300;
const IN_THE_LOG = 200;
const ALL = CHECKPOINTED + IN_THE_LOG;

/** A directory as kill -9 leaves it: most events in the main file, the newest in the log only. */
let whole: string;
/** The same directory at its clean stop before. */
let earlier: string;
let other: string;
let agentId: string;
let epoch: string;

beforeAll(async () => {
  whole = dir();
  earlier = dir();
  other = dir();
  await run({ dir: whole, append: CHECKPOINTED, end: 'clean' });
  cpSync(whole, earlier, { recursive: true });
  ({ agentId, epoch } = (await run({ dir: whole, append: IN_THE_LOG, end: 'kill' })).start);
  await run({ dir: other, append: 50, end: 'clean' });
});

let harmed = 0;

/** Each file of the directory with a digest of what is in it. */
const contents = (at: string): string[] =>
  readdirSync(at).map((name) => {
    const bytes = readFileSync(join(at, name));
    return `${name} ${createHash('sha256').update(bytes).digest('hex')}`;
  });

const db = (at: string) => join(at, 'playwarden.db');
const wal = (at: string) => join(at, 'playwarden.db-wal');

function flip(path: string, at: number, bit = 0x10): void {
  const fd = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ bit;
  writeSync(fd, byte, 0, 1, at);
  closeSync(fd);
}

/** Where a text stands in a file the n-th time. */
function find(path: string, text: string, n = 1): number {
  const bytes = readFileSync(path);
  let at = -1;
  for (let i = 0; i < n; i++) at = bytes.indexOf(text, at + 1);
  expect(at).toBeGreaterThan(0);
  return at;
}

function sql(at: string, statement: string): void {
  const connection = new Database(db(at));
  connection.exec(statement);
  connection.close();
}

interface Kind {
  readonly name: string;
  readonly harm: (at: string) => void;
  /** How many events must be there afterwards. */
  readonly saved: number;
  /** No damaged file is left to be kept aside. */
  readonly nothingAside?: boolean;
}

const PAGE = 2048;
const FRAME = PAGE + 24;
const half = (path: string) => Math.floor(statSync(path).size / 2);

const KINDS: readonly Kind[] = [
  {
    name: 'a flipped bit in the payload of a row',
    harm: (at) => flip(db(at), find(db(at), 'xxxxx', 4_000)),
    saved: ALL - 1,
  },
  {
    name: 'a flipped bit that leaves a text which is not UTF-8',
    harm: (at) => flip(db(at), find(db(at), 'xxxxx', 4_000), 0x80),
    saved: ALL - 1,
  },
  {
    name: 'a flipped bit in the header of a page of events',
    harm: (at) => flip(db(at), Math.floor(find(db(at), 'xxxxx', 4_000) / PAGE) * PAGE),
    saved: ALL - 20,
  },
  {
    name: 'a page of events overwritten with zeros',
    harm: (at) => {
      const fd = openSync(db(at), 'r+');
      const start = Math.floor(find(db(at), 'xxxxx', 4_000) / PAGE) * PAGE;
      writeSync(fd, Buffer.alloc(PAGE), 0, PAGE, start);
      closeSync(fd);
    },
    saved: ALL - 20,
  },
  {
    name: 'a flipped bit in the payload of a frame of the log',
    harm: (at) => flip(wal(at), find(wal(at), 'xxxxx', 3_000)),
    saved: ALL - 10,
  },
  {
    name: 'a flipped bit in the header of a frame of the log',
    harm: (at) => flip(wal(at), 32 + 20 * FRAME + 9),
    saved: ALL,
  },
  { name: 'a flipped bit in the header of the log', harm: (at) => flip(wal(at), 17), saved: ALL },
  {
    name: 'the root page of the events overwritten with zeros',
    harm: (at) => {
      const connection = new Database(db(at));
      const root = connection.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'events'").get();
      const { rootpage } = root as { rootpage: number };
      connection.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      connection.close();
      const fd = openSync(db(at), 'r+');
      writeSync(fd, Buffer.alloc(PAGE), 0, PAGE, (rootpage - 1) * PAGE);
      closeSync(fd);
    },
    saved: ALL,
  },
  { name: 'the main file truncated', harm: (at) => truncateSync(db(at), 4 * PAGE), saved: 0 },
  { name: 'the main file cut to half', harm: (at) => truncateSync(db(at), half(db(at))), saved: 0 },
  {
    name: 'the log truncated',
    harm: (at) => truncateSync(wal(at), 32 + 100 * FRAME),
    saved: CHECKPOINTED + 20,
  },
  { name: 'the log deleted', harm: (at) => rmSync(wal(at)), saved: CHECKPOINTED },
  { name: 'the main file deleted', harm: (at) => rmSync(db(at)), saved: 0 },
  {
    name: 'the main file and the log deleted',
    harm: (at) => {
      rmSync(db(at));
      rmSync(wal(at));
    },
    saved: 0,
    nothingAside: true,
  },
  {
    name: 'database, log and high-water file deleted',
    harm: (at) => {
      for (const file of ['playwarden.db', 'playwarden.db-wal', 'high-water']) rmSync(join(at, file));
    },
    saved: 0,
    nothingAside: true,
  },
  { name: 'a main file of no length', harm: (at) => truncateSync(db(at), 0), saved: 0 },
  {
    name: 'garbage for a main file',
    harm: (at) => writeFileSync(db(at), Buffer.alloc(100_000, 'garbage')),
    saved: 0,
  },
  {
    name: 'the first page of the main file overwritten',
    harm: (at) => {
      rmSync(wal(at));
      const fd = openSync(db(at), 'r+');
      writeSync(fd, Buffer.alloc(PAGE, 'x'), 0, PAGE, 0);
      closeSync(fd);
    },
    saved: CHECKPOINTED,
  },
  {
    name: 'an old copy put back',
    harm: (at) => {
      rmSync(wal(at), { force: true });
      cpSync(db(earlier), db(at));
    },
    saved: CHECKPOINTED,
  },
  {
    name: 'the database of another agent put in its place',
    harm: (at) => {
      rmSync(wal(at), { force: true });
      cpSync(db(other), db(at));
    },
    saved: 0,
  },
  {
    name: 'a row edited',
    harm: (at) => sql(at, "UPDATE events SET body = replace(body, 'x', 'y') WHERE rowid % 100 = 7"),
    saved: ALL - 10,
  },
  {
    name: 'rows deleted',
    harm: (at) => sql(at, 'DELETE FROM events WHERE rowid % 100 = 7'),
    saved: ALL - 10,
  },
  {
    name: 'two rows exchanged',
    harm: (at) =>
      sql(
        at,
        `CREATE TEMP TABLE two AS SELECT * FROM events LIMIT 2;
         UPDATE events SET (id, ts, type, body, seal) =
           (SELECT id, ts, type, body, seal FROM two WHERE two.seq != events.seq)
         WHERE seq IN (SELECT seq FROM two)`,
      ),
    saved: ALL - 2,
  },
  {
    name: 'a setting edited',
    harm: (at) => sql(at, "UPDATE meta SET value = '{}' WHERE key = 'run'"),
    saved: ALL,
  },
  { name: 'the high-water file deleted', harm: (at) => rmSync(join(at, 'high-water')), saved: ALL },
  {
    name: 'garbage for a high-water file',
    harm: (at) => writeFileSync(join(at, 'high-water'), 'garbage'),
    saved: ALL,
  },
  { name: 'the key deleted', harm: (at) => rmSync(join(at, 'store.key')), saved: ALL },
  { name: 'garbage for a key', harm: (at) => writeFileSync(join(at, 'store.key'), 'garbage'), saved: ALL },
];

function expectNoticed(at: string, start: RunStart, kind: Pick<Kind, 'saved' | 'nothingAside'>): void {
  expect(start.findings[0]).toMatchObject({ type: 'agent_event', event_type: 'tamper_suspected' });
  expect(start.epoch).not.toBe(epoch);
  expect(readdirSync(at).filter((name) => /salvage|rebuil/.test(name))).toEqual([]);
  expect(corruptFiles(at).length > 0).toBe(kind.nothingAside !== true);
  expect(start.events.length).toBeGreaterThanOrEqual(kind.saved);
  // What is there is what was there: in order, nothing twice, nothing else.
  const offsets = start.events.map((e) => e.offset);
  expect(new Set(start.events.map((e) => e.epoch))).toEqual(new Set(offsets.length ? [epoch] : []));
  expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b));
}

describe('D11: damage is noticed at the start, what is whole is saved, and the epoch changes', () => {
  it.each(KINDS)('$name', async (kind) => {
    const at = dir();
    cpSync(whole, at, { recursive: true });
    const before = contents(at);
    kind.harm(at);
    // Some harm is none by chance, which would prove nothing.
    expect(contents(at)).not.toEqual(before);
    harmed++;
    const { start } = await run({ dir: at, append: 3, end: 'kill' });
    expectNoticed(at, start, kind);
    if (!kind.name.includes('key')) expect(start.agentId).toBe(agentId);

    // Told once: the next start finds a whole database with the new epoch in it.
    const again = await run({ dir: at, end: 'kill' });
    expect(again.start.findings).toEqual([]);
    expect(again.start.epoch).toBe(start.epoch);
    expect(again.start.events.filter((e) => e.epoch === epoch)).toEqual(start.events);
    expect(again.start.events.filter((e) => e.epoch === start.epoch)).toHaveLength(3);
  });

  it('a main file cut short before its first checkpoint', async () => {
    const at = dir();
    const young = await run({ dir: at, append: 20, end: 'kill' });
    truncateSync(db(at), half(db(at)));
    const { start } = await run({ dir: at, end: 'kill' });
    expect(start.findings[0]).toMatchObject({ event_type: 'tamper_suspected' });
    expect(start.epoch).not.toBe(young.start.epoch);
    expect(corruptFiles(at)).not.toEqual([]);
    expect(start.events).toHaveLength(20);
  });

  it('at least twelve kinds of damage were really done', () => {
    report('damage', { 'kinds done and noticed': harmed });
    expect(harmed).toBe(KINDS.length);
    expect(harmed).toBeGreaterThanOrEqual(12);
  });
});

describe('what is lost is told', () => {
  it('D7 D11: a clean stop makes the number exact', async () => {
    const at = dir();
    await run({ dir: at, append: 30, end: 'clean' });
    rmSync(db(at));
    const { start } = await run({ dir: at, append: 1, end: 'kill' });
    expect(start.findings.map((f) => f.event_type)).toEqual(['tamper_suspected', 'events_lost']);
    expect(start.findings[1]?.data).toMatchObject({ lost: 30, lost_at_least: 30 });
    const again = await run({ dir: at, end: 'kill' });
    expect(again.start.events.map((e) => [e.epoch, e.offset])).toEqual([[start.epoch, 1]]);
  });

  it('D7: a hole between saved rows is a gap of its own, in the epoch it is in', async () => {
    const at = dir();
    await run({ dir: at, append: 30, end: 'clean' });
    sql(at, 'DELETE FROM events WHERE (seq & 0xffff) BETWEEN 11 AND 15');
    const { start } = await run({ dir: at, append: 0, end: 'kill' });
    const [first] = start.events;
    expect(start.events).toHaveLength(25);
    const at10 = { epoch: first?.epoch, offset: 10 };
    expect(start.gaps[0]).toEqual({ from: at10, to: { ...at10, offset: 15 }, lost: 5, reason: 'damage' });
    expect(start.gaps[1]).toMatchObject({ from: { offset: 30 }, to: { epoch: start.epoch, offset: 0 } });
  });
});

describe('D11: files that somebody else wrote to are noticed even when every row holds', () => {
  it('a flipped bit in a page that holds nothing', async () => {
    const at = dir();
    await run({ dir: at, append: 30, end: 'clean' });
    flip(db(at), readFileSync(db(at)).indexOf(Buffer.alloc(PAGE)) + PAGE / 2);
    const { start } = await run({ dir: at, append: 1, end: 'kill' });
    expect(start.findings[0]?.data).toMatchObject({ saved_events: 30, lost: 0 });
    expect(start.findings).toHaveLength(1);
  });

  it('a write to the log after a kill -9 that came in a quiet moment', async () => {
    const at = dir();
    await run({ dir: at, append: 30, end: 'kill' });
    flip(wal(at), statSync(wal(at)).size - 5);
    const { start } = await run({ dir: at, append: 1, end: 'kill' });
    expect(start.findings[0]?.event_type).toBe('tamper_suspected');
  });

  it.each(['boot-1', 'boot-2'])(
    'a log laid beside the main file of a clean stop, which takes a row away (%s)',
    async (bootId) => {
      const at = dir();
      await run({ dir: at, append: 30, end: 'clean' });
      const elsewhere = dir();
      cpSync(at, elsewhere, { recursive: true });
      const connection = new Database(db(elsewhere));
      connection.exec('DELETE FROM events WHERE (seq & 0xffff) = 11');
      cpSync(wal(elsewhere), wal(at));
      connection.close();
      const { start } = await run({ dir: at, bootId, end: 'kill' });
      expect(start.findings[0]?.event_type).toBe('tamper_suspected');
      // The main file still has the row.
      expect(start.events).toHaveLength(30);
    },
  );

  it('a directory that was moved as a whole is none', async () => {
    const at = dir();
    await run({ dir: at, append: 30, end: 'clean' });
    const moved = dir();
    cpSync(at, moved, { recursive: true });
    const { start } = await run({ dir: moved, end: 'clean' });
    expect(start.findings).toEqual([]);
    expect(start.events).toHaveLength(30);
  });
});
