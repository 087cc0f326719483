/**
 * Delivery as a whole (contract D2, D7 to D9, E2, E5, W1 to W6), compared with a reference after every step: two clients connect,
 * resume anywhere, acknowledge anything, poll, and leave, while events come, are dropped, and the server restarts.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Position } from '../../src/protocol/position.ts';
import { LONG_TIMEOUT_MS, report, roundsOf, timeLeftMs } from '../helpers/long-run.ts';
import { numbered } from '../helpers/memory-store.ts';
import { type Backend, type End, memoryBackend, storeBackend } from './delivery-model/backend.ts';
import { type Item, ReferenceClient, ReferenceLog } from './delivery-model/reference.ts';
import { deliveredOf, gapOf, type RealLink, World } from './delivery-model/world.ts';

const STEPS = 40;
const CLIENTS = ['a', 'b'] as const;

// ── what may happen ─────────────────────────────────────────────────────────────────────────────────────────────

const client = fc.constantFrom(...CLIENTS);
/** A position that a client may come with: mostly one it could know, now and then one it cannot. */
const place = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      at: fc.constant('event' as const),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ at: fc.constantFrom('cursor' as const, 'sent' as const, 'latest' as const) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ at: fc.constant('ahead' as const), by: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 1, arbitrary: fc.record({ at: fc.constantFrom('unknown' as const, 'zero' as const) }) },
);
type Place = typeof place extends fc.Arbitrary<infer T> ? T : never;

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      count: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 300 })),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('connect' as const),
      client,
      simple: fc.boolean(),
      resume: fc.option(fc.oneof(place, fc.constant('now' as const))),
    }),
  },
  { weight: 7, arbitrary: fc.record({ do: fc.constant('ack' as const), client, place }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('pong' as const),
      client,
      part: fc.double({ min: 0, max: 0.99, noNaN: true }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('drop' as const), client }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('poll' as const),
      client,
      after: fc.option(place),
      withEpoch: fc.boolean(),
      limit: fc.integer({ min: 1, max: 60 }),
      whole: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('lose' as const), count: fc.integer({ min: 1, max: 200 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('restart' as const),
      end: fc.constantFrom('clean' as const, 'killed' as const, 'machine down' as const),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

// ── both worlds ─────────────────────────────────────────────────────────────────────────────────────────────────

const counts: Record<string, number> = {};

class Run {
  readonly #backend: Backend;
  #world: World;
  readonly #links = new Map<string, RealLink>();
  readonly #referenceLog: ReferenceLog;
  readonly #reference: ReadonlyMap<string, ReferenceClient>;

  constructor(backend: Backend) {
    this.#backend = backend;
    this.#world = new World(backend.log, backend.clients);
    const log = new ReferenceLog(backend.log.ends().epoch, backend.joinsGaps);
    this.#referenceLog = log;
    this.#reference = new Map(CLIENTS.map((c) => [c, new ReferenceClient(log)]));
  }

  async do(step: Step): Promise<void> {
    counts[step.do] = (counts[step.do] ?? 0) + 1;
    switch (step.do) {
      case 'append':
        this.#referenceLog.current.last += step.count;
        this.#backend.log.append(Array.from({ length: step.count }, (_, i) => numbered(i)));
        break;
      case 'connect':
        this.#connect(step);
        break;
      case 'ack': {
        const to = this.#position(step.client, step.place);
        const link = this.#links.get(step.client);
        if (!link || !to || link.socket.closedWith !== null) return;
        const outcome = this.#client(step.client).ack(to);
        link.session.message(JSON.stringify({ type: 'ack', ...to }));
        expect(link.socket.closedWith).toBe(outcome === 'closes with 4504' ? 4504 : null);
        break;
      }
      case 'pong':
        this.#pong(step.client, step.part);
        break;
      case 'drop':
        this.#links.get(step.client)?.session.closed();
        this.#links.delete(step.client);
        this.#client(step.client).link = null;
        break;
      case 'poll':
        this.#poll(step);
        break;
      case 'lose':
        this.#backend.lose(step.count);
        this.#referenceLog.drop(step.count, this.#backend.dropsInOneEpoch);
        return;
      case 'restart':
        await this.#restart(step.end);
    }
    this.#compare();
  }

  /** Whoever comes last, from wherever its cursor stands, is given everything that follows. */
  async end(): Promise<void> {
    for (const name of CLIENTS) {
      await this.do({ do: 'connect', client: name, simple: false, resume: null });
      for (let n = 0; n < 100 && this.#referenceLog.next(this.#client(name).link!.at); n++) {
        await this.do({ do: 'ack', client: name, place: { at: 'sent' } });
      }
      expect(this.#client(name).link!.at).toEqual(this.#referenceLog.latest);
    }
  }

  #client(name: string): ReferenceClient {
    return this.#reference.get(name)!;
  }

  #position(name: string, place: Place): Position | null {
    const { epochs, latest } = this.#referenceLog;
    const { cursor, sent } = this.#client(name);
    switch (place.at) {
      case 'cursor':
        return cursor;
      case 'sent':
        return sent;
      case 'latest':
        return latest;
      case 'zero':
        return { epoch: epochs[0]!.name, offset: 0 };
      case 'unknown':
        return { epoch: 'never-was', offset: 3 };
      case 'ahead':
        return { epoch: latest.epoch, offset: latest.offset + place.by };
      case 'event': {
        let left = Math.floor(place.part * epochs.reduce((sum, e) => sum + e.last, 0));
        for (const { name: epoch, last } of epochs) {
          if (left <= last) return { epoch, offset: left };
          left -= last;
        }
        return latest;
      }
    }
  }

  #connect({ client, simple, resume }: Extract<Step, { do: 'connect' }>): void {
    const wanted = simple || resume === null || resume === 'now' ? resume : this.#position(client, resume);
    const asked = simple ? null : wanted;
    const { socket, session } = this.#world.connect(client, simple, asked as Position | 'now' | null);
    if (asked !== null && asked !== 'now' && this.#referenceLog.isAhead(asked as Position)) {
      expect(socket.closedWith).toBe(4504);
      return;
    }
    const told = this.#client(client).connect(simple, asked as Position | 'now' | null);
    const older = this.#links.get(client);
    if (older && older.socket.closedWith === null) throw new Error('the older link of the same client stays');
    this.#links.set(client, { socket, session });
    const welcome = socket.frames.find((f) => f.type === 'welcome');
    const { latest, current } = this.#referenceLog;
    expect(welcome).toMatchObject({
      epoch: latest.epoch,
      first_offset: current.dropped + 1,
      last_offset: latest.offset,
      acked_epoch: this.#client(client).cursor?.epoch ?? null,
      acked_offset: this.#client(client).cursor?.offset ?? 0,
      recovered: told === null,
    });
    expect(gapOf(welcome.gap)).toEqual(told);
  }

  /** A pong of a simple client acknowledges what was sent before its ping. */
  #pong(name: string, part: number): void {
    const link = this.#links.get(name);
    const reference = this.#client(name);
    if (!link || !reference.link?.simple || link.socket.pings.length === 0) return;
    const index = Math.floor(part * link.socket.pings.length);
    const { at } = reference.link;
    const payload = link.socket.pings[index]!;
    const offset = Number(payload.slice(2));
    // Only pings of the epoch that the link stands in can be told from outside which event they mean.
    const same =
      link.socket.pings.filter((p) => p === payload).length === 1 && this.#referenceLog.epochs.length === 1;
    if (!same || offset > at.offset) return;
    link.socket.pings = link.socket.pings.slice(index + 1);
    reference.ack({ epoch: at.epoch, offset });
    link.session.pong(payload);
  }

  #poll({ client, after, withEpoch, limit, whole }: Extract<Step, { do: 'poll' }>): void {
    const reference = this.#client(client);
    let named = after && this.#position(client, after);
    if (named && !withEpoch) {
      named = { epoch: reference.position.epoch, offset: named.offset };
    }
    const standing = named?.offset === 0 && !withEpoch && reference.cursor === null;
    const expected = reference.poll(standing ? reference.position : named, limit, standing);
    const { status, body } = this.#world.poll(client, named, withEpoch, limit, whole);
    expect(status).toBe(expected === null ? 409 : 200);
    if (expected === null) return;
    expect(body.events.map(deliveredOf)).toEqual(expected.events);
    expect(gapOf(body.gap)).toEqual(expected.gap);
    const { next } = expected;
    expect(body).toMatchObject({ epoch: next.epoch, next_after: next.offset, count: expected.events.length });
    expect(body.has_more).toBe(this.#referenceLog.compare(next, this.#referenceLog.latest) < 0);
    const tells = expected.gap !== null || expected.events.length > 0;
    if (named === null && whole && tells) reference.offered = next;
    this.#expectOn(client, expected.pushed);
  }

  async #restart(end: End): Promise<void> {
    this.#world.stop();
    this.#links.clear();
    await this.#backend.restart(end);
    const { epoch } = this.#backend.log.ends();
    expect(epoch !== this.#referenceLog.current.name).toBe(end === 'machine down');
    if (end === 'machine down') this.#referenceLog.epochs.push({ name: epoch, last: 0, dropped: 0 });
    for (const reference of this.#reference.values()) {
      reference.link = null;
      reference.offered = null;
      const forgotten = end !== 'clean' && this.#backend.forgetsWhatWasSent && reference.known;
      if (forgotten) reference.sent = this.#referenceLog.latest;
    }
    this.#world = new World(this.#backend.log, this.#backend.clients);
  }

  #compare(): void {
    for (const [name, reference] of this.#reference) {
      const link = this.#links.get(name);
      if (link) this.#expectOn(name, reference.push());
      expect(this.#backend.clients.get(name)?.cursor ?? null).toEqual(reference.cursor);
    }
  }

  #expectOn(name: string, expected: readonly { readonly item: Item; readonly redelivered: boolean }[]): void {
    const taken = this.#links.get(name)?.socket.take() ?? [];
    expect(taken).toEqual(expected);
    counts.delivered = (counts.delivered ?? 0) + taken.length;
  }
}

const seed = process.env.PLAYWARDEN_SEED;

it.each([
  { on: 'a log in memory', backend: memoryBackend, runs: 200 },
  // Each start of a database costs some ms, and libsql keeps what it has opened.
  { on: 'the database', backend: storeBackend, runs: 20 },
])(
  'D2 D7 D8 D9 E2 E5: whatever two clients do, they are given what the reference says, on $on',
  async ({ on, backend, runs }) => {
    for (const what of Object.keys(counts)) delete counts[what];
    const numRuns = Math.ceil((roundsOf(200) * runs) / 200);
    const steps = fc.array(step, { minLength: STEPS, maxLength: STEPS });
    const property = fc.asyncProperty(steps, async (all) => {
      const used = backend();
      try {
        const run = new Run(used);
        for (const one of all) await run.do(one);
        await run.end();
      } finally {
        await used.dispose();
      }
    });
    await fc.assert(property, {
      numRuns,
      ...(seed !== undefined && { seed: Number(seed) }),
      ...(Number.isFinite(timeLeftMs()) && { interruptAfterTimeLimit: timeLeftMs() }),
    });
    report(`delivery model on ${on}`, { runs: numRuns, ...counts });
    for (const what of ['append', 'connect', 'ack', 'pong', 'drop', 'poll', 'lose', 'restart']) {
      expect([what, counts[what] ?? 0]).not.toEqual([what, 0]);
    }
    expect(counts.delivered).toBeGreaterThan(numRuns * 50);
  },
  LONG_TIMEOUT_MS,
);
