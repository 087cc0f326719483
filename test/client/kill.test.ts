/**
 * Contract D4 with the whole agent: real processes make it tell some 500 events a second, it is killed again and again at
 * any moment, and two clients, one on each transport, go on reading. What it had appended is looked up in its database.
 */
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Database from 'libsql';
import { afterAll, expect, it } from 'vitest';
import { type Connection, connect, type ReceivedEvent, type SessionData } from '../../src/client/index.ts';
import { Agent } from '../helpers/agent.ts';
import { LONG_TIMEOUT_MS, report, roundsOf, timeIsUp } from '../helpers/long-run.ts';
import { Players } from './players.ts';

/** 16 games at some 6 plays a second, each play of six events. */
const GAMES = 16;
const PLAY = { playMs: 60, restMs: 100 };
/** One life in four ends before it is ready, about. */
const EARLY = 0.25;
const LONGEST_START_MS = 300;
const LONGEST_LIFE_MS = 800;
const ACK_EVERY = 16;

const players = new Players(GAMES);
const agent = new Agent({
  config: players.config({ retention: { max_events: 10_000_000 } }),
  args: ['--log-level', 'warn'],
});
const dir = mkdtempSync(join(tmpdir(), 'playwarden-kill-'));
const readers: Reader[] = [];
afterAll(async () => {
  for (const reader of readers) await reader.connection.close();
  await players.stop();
  await agent.kill();
  await agent.dispose();
  rmSync(dir, { recursive: true, force: true });
});

/** A program with a client: remembers what it was given, acknowledges now and then. */
class Reader {
  readonly connection: Connection;
  readonly received: ReceivedEvent[] = [];
  readonly gaps: unknown[] = [];
  readonly transports = new Set<string | null>();
  reading: Promise<void> = Promise.resolve();

  constructor(connection: Connection, gaps: unknown[]) {
    this.connection = connection;
    this.gaps = gaps;
    connection.onState(({ transport }) => this.transports.add(transport));
    this.reading = this.#read();
  }

  static async open(clientId: string, transport: 'auto' | 'polling'): Promise<Reader> {
    const gaps: unknown[] = [];
    const positionFile = join(dir, `${clientId}.json`);
    const onGap = (gap: unknown) => gaps.push(gap);
    const options = { clientId, positionFile, transport, onGap };
    return new Reader(await connect({ dataDir: agent.dataDir }, options), gaps);
  }

  get last(): number {
    return this.received.at(-1)?.meta.offset ?? 0;
  }

  async #read(): Promise<void> {
    for await (const event of this.connection) {
      this.received.push(event);
      if (event.meta.offset % ACK_EVERY === 0) await event.ack();
    }
  }
}

/** What a killed agent had appended since: `seq` grows by one from event to event. */
const appended = new Map<number, string>();
function lookIntoTheLog(): void {
  if (!existsSync(join(agent.dataDir, 'playwarden.db'))) return;
  // A copy, since whoever opens a database writes to it.
  const copy = join(dir, 'copy.db');
  for (const suffix of ['', '-wal'])
    if (existsSync(join(agent.dataDir, `playwarden.db${suffix}`)))
      cpSync(join(agent.dataDir, `playwarden.db${suffix}`), `${copy}${suffix}`);
  const database = new Database(copy);
  const known = Math.max(0, ...[...appended.keys()].slice(-1));
  const rows = database.prepare('SELECT seq, id FROM events WHERE seq > ? ORDER BY seq').all(known);
  for (const { seq, id } of rows as { seq: number; id: string }[]) appended.set(seq, id);
  database.close();
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${copy}${suffix}`, { force: true });
}

it(
  'D4 D2: kill -9 at random moments: no event lost, none twice, order kept, the epoch stays',
  async () => {
    const [socket, poll] = [await Reader.open('desk', 'auto'), await Reader.open('poller', 'polling')];
    readers.push(socket, poll);
    players.start(PLAY);

    const rounds = roundsOf(20);
    let kills = 0;
    let beforeReady = 0;
    let servedMs = 0;
    while (kills < rounds && !timeIsUp()) {
      const ready = agent.start().then(
        () => true,
        () => false,
      );
      const early = Math.random() < EARLY;
      if (early) await pause(Math.random() * LONGEST_START_MS);
      else if (!(await ready)) throw new Error('a killed agent does not start again');
      const from = performance.now();
      if (!early) await pause(Math.random() * LONGEST_LIFE_MS);
      await agent.kill();
      if (!early) servedMs += performance.now() - from;
      kills++;
      if (!(await ready)) beforeReady++;
      lookIntoTheLog();
    }
    await agent.start();
    await players.stop();
    await quiet(socket, poll);
    await Promise.all(readers.map((reader) => reader.connection.close()));
    await Promise.all(readers.map((reader) => reader.reading));

    report('kill -9 of the agent', {
      kills,
      'before ready': beforeReady,
      'events a second while it served': Math.round((appended.size / servedMs) * 1_000),
      'in the logs of killed agents': appended.size,
      'received over WebSocket and polling': socket.received.length,
      'received over polling alone': poll.received.length,
    });
    expect(kills).toBeGreaterThan(0);
    expect(appended.size).toBeGreaterThan(kills * 10);
    expect(socket.transports).toContain('websocket');
    expect(poll.transports).toContain('polling');
    expect(poll.transports).not.toContain('websocket');
    const [{ epoch }] = [socket.received[0]!.meta];
    for (const { received, gaps } of readers) {
      expect(gaps).toEqual([]);
      // None is lost, none comes twice, and all in order, in one epoch.
      expect(received.map(({ meta }) => `${meta.epoch} ${meta.offset}`)).toEqual(
        received.map((_, i) => `${epoch} ${i + 1}`),
      );
      const ids = new Set(received.map(({ meta }) => meta.id));
      expect(ids.size).toBe(received.length);
      expect([...appended.values()].filter((id) => !ids.has(id))).toEqual([]);
    }
    expect(poll.received.map(({ meta }) => meta.id)).toEqual(socket.received.map(({ meta }) => meta.id));
    expect(untrue(socket.received)).toEqual([]);
  },
  // Lives are not all of it: each needs its start.
  2 * LONG_TIMEOUT_MS,
);

/** Settles when every play has ended and was told, and both have read it. */
async function quiet(...both: readonly Reader[]): Promise<void> {
  const deadline = { timeout: 60_000, interval: 50 };
  for (let before = -1; ; await pause(1_000)) {
    const latest = (await statusOf(both[0]!)).last_offset;
    if (latest === before) return;
    before = latest;
    await expect.poll(() => Math.min(...both.map((r) => r.last)), deadline).toBeGreaterThanOrEqual(latest);
  }
}
const statusOf = (reader: Reader) => reader.connection.status();

const playOf = ({ session_id, game }: SessionData): string => `play ${session_id} of ${game}`;

/** What the events say of processes and plays, and cannot be: each starts once, and ends once after it. */
function untrue(events: readonly ReceivedEvent[]): string[] {
  const told = new Map<string, string[]>();
  const tell = (what: string, step: string) => told.set(what, [...(told.get(what) ?? []), step]);
  for (const event of events) {
    if (event.type === 'game_event') {
      const { pid, started_at } = event.data.process_info;
      tell(`process ${pid} of ${started_at}`, event.event_type);
    }
    if (event.type === 'session_event') tell(playOf(event.data.session_data), event.event_type);
    if (event.type === 'firebase_sync_request') tell(playOf(event.data.data), event.type);
  }
  const right = ['game_started game_stopped', 'session_started session_ended firebase_sync_request'];
  return [...told]
    .filter(([, steps]) => !right.includes(steps.join(' ')))
    .map(([what, steps]) => `${what}: ${steps.join(' ')}`);
}
