/**
 * The long poll (contract D8): where a poll stands, what it acknowledges, holding it until there is something to
 * return. Whatever it returns is read through the same ClientFeed as the WebSocket's.
 */
import { HTTP_LIMITS, type PollQuery } from '../protocol/http.ts';
import type { ClientStore, Clock, EventLog } from '../protocol/ports.ts';
import type { Position } from '../protocol/position.ts';
import { problem } from '../protocol/problems.ts';
import { type Batch, ClientFeed, joinGaps, type Start } from './client-feed.ts';
import { json, problemReply, type Reply } from './http-message.ts';

export interface PollContext {
  readonly log: EventLog;
  readonly clients: ClientStore;
  readonly clock: Clock;
  /** The client's cursor was moved by a poll. */
  cursorMoved(clientId: string, from: Position | null, to: Position): void;
}

interface ClientPolls {
  /** When it polled last or got its last answer, monotonic ms. */
  lastMs: number;
  waiting: { check(): void; finish(): void } | null;
  /** Written whole without `after`: acknowledged by the client's next poll. */
  offered: Position | null;
}

export class PollAdapter {
  readonly #context: PollContext;
  /** By client id; the store remembers at most eight, so this is bounded with it. */
  readonly #clients = new Map<string, ClientPolls>();
  #stopping = false;

  constructor(context: PollContext) {
    this.#context = context;
  }

  /** Answers one poll, at once or when there is something; `onAbort` as of the request. */
  poll(clientId: string, query: PollQuery, onAbort: (fn: () => void) => void): Reply | Promise<Reply> {
    const { log, clients, clock } = this.#context;
    if (!clients.open(clientId)) {
      return problemReply(problem('too-many-clients', 'Eight clients are remembered already.'), POLL_PATH);
    }
    const polls = this.#pollsOf(clientId);
    polls.lastMs = clock.monotonic();
    polls.waiting?.finish();
    const feed = new ClientFeed(clientId, log, clients);
    const standing = standsAtItsBeginning(feed, query);
    const explicit = standing
      ? feed.position()
      : query.after === undefined
        ? null
        : this.#named(feed, query.after, query.epoch);
    if (explicit && log.locate(explicit) === 'ahead') {
      const { epoch, offset } = explicit;
      return problemReply(
        problem('offset-unknown', `Offset ${offset} of ${epoch} was never given.`),
        POLL_PATH,
      );
    }
    const stored = standing ? null : (explicit ?? polls.offered);
    polls.offered = null;
    if (stored && log.locate(stored) === 'known') this.#acknowledge(feed, stored);

    const start = (): Start => feed.startAt(explicit ?? feed.position());
    const limit = query.limit ?? HTTP_LIMITS.maxPollEvents;
    const answer = (from: Start, batch: Batch): Reply =>
      this.#reply(polls, feed, from, batch, explicit === null);
    const first = start();
    const batch = feed.read(first.at, limit);
    const waitMs = (query.wait ?? 0) * 1_000;
    if (waitMs === 0 || this.#stopping || tells(first, batch)) return answer(first, batch);

    return new Promise((resolve) => {
      const settle = (reply: Reply): void => {
        stopTimer();
        if (polls.waiting === waiting) polls.waiting = null;
        polls.lastMs = clock.monotonic();
        resolve(reply);
      };
      const finish = (): void => settle(answer(first, { ...batch, gap: null, entries: [], hasMore: false }));
      const check = (): void => {
        const from = start();
        const found = feed.read(from.at, limit);
        if (tells(from, found)) settle(answer(from, found));
      };
      const waiting = { check, finish };
      const stopTimer = clock.after(waitMs, finish);
      polls.waiting = waiting;
      onAbort(finish);
    });
  }

  /** The log grew. */
  wake(): void {
    for (const polls of this.#clients.values()) polls.waiting?.check();
  }

  /** Whether this client polled within `withinMs`, or waits now. */
  polled(clientId: string, withinMs: number): boolean {
    const polls = this.#clients.get(clientId);
    if (!polls) return false;
    return polls.waiting !== null || this.#context.clock.monotonic() - polls.lastMs <= withinMs;
  }

  clientsWithin(withinMs: number): readonly string[] {
    return [...this.#clients.keys()].filter((clientId) => this.polled(clientId, withinMs));
  }

  /** A client said that it leaves: its waiting poll ends and it no longer counts as connected. */
  leave(clientId: string): void {
    const polls = this.#clients.get(clientId);
    polls?.waiting?.finish();
    if (polls) polls.lastMs = Number.NEGATIVE_INFINITY;
  }

  /** Ends all waiting polls with an empty answer. */
  endWaiting(): void {
    for (const polls of this.#clients.values()) polls.waiting?.finish();
  }

  /** From now on no poll waits. */
  stop(): void {
    this.#stopping = true;
    this.endWaiting();
  }

  /** The position that `after` names; without `epoch` it is of the cursor's (contract E5). */
  #named(feed: ClientFeed, offset: number, epoch: string | undefined): Position {
    return { epoch: epoch ?? feed.position().epoch, offset };
  }

  #acknowledge(feed: ClientFeed, to: Position): void {
    const from = feed.cursor();
    const now = feed.acknowledge(to);
    this.#context.cursorMoved(feed.clientId, from, now);
  }

  #reply(polls: ClientPolls, feed: ClientFeed, start: Start, batch: Batch, implicit: boolean): Reply {
    const { clock, log } = this.#context;
    const gap = joinGaps(start.gap, batch.gap);
    const tail = JSON.stringify({
      count: batch.entries.length,
      epoch: batch.next.epoch,
      next_after: batch.next.offset,
      has_more: batch.hasMore,
      gap,
    });
    const timestamp = new Date(clock.wall()).toISOString();
    const events = batch.entries.map(batch.text).join(',');
    const reply = json(
      `{"status":"success","timestamp":"${timestamp}","events":[${events}],${tail.slice(1)}`,
    );
    if (!tells(start, batch)) return reply;
    feed.markSent(batch.next);
    if (!implicit) return reply;
    return {
      ...reply,
      onWritten: (whole) => {
        const further = polls.offered === null || log.compare(batch.next, polls.offered) > 0;
        if (whole && further) polls.offered = batch.next;
      },
    };
  }

  #pollsOf(clientId: string): ClientPolls {
    const known = this.#clients.get(clientId);
    if (known) return known;
    for (const old of this.#clients.keys()) if (!this.#context.clients.get(old)) this.#clients.delete(old);
    const made: ClientPolls = { lastMs: Number.NEGATIVE_INFINITY, waiting: null, offered: null };
    this.#clients.set(clientId, made);
    return made;
  }
}

const POLL_PATH = '/desktop/events/poll';

/**
 * `after=0` without `epoch`, from a client that has acknowledged nothing: it goes on from where it was first seen, so
 * that a gap begins there and not with events that were gone before, and nothing is acknowledged by it.
 */
function standsAtItsBeginning(feed: ClientFeed, { after, epoch }: PollQuery): boolean {
  return after === 0 && epoch === undefined && feed.cursor() === null;
}

/** Whether there is something to return. */
function tells(start: Start, batch: Batch): boolean {
  return start.gap !== null || batch.gap !== null || batch.entries.length > 0;
}
