/**
 * One client's view of the event log, shared by the WebSocket and the poll: where it stands, what follows, what was
 * told to it before. One cursor serves both transports (contract D9). Free of sockets and of time.
 */
import type { ClientStore, EventLog } from '../protocol/ports.ts';
import { envelope, type Gap, type LogEntry, type Position, samePosition } from '../protocol/position.ts';

/** Where a client goes on, and what is missing directly before that. */
export interface Start {
  readonly at: Position;
  /** Set when the position it came with is of no epoch that is known any more. */
  readonly gap: Gap | null;
}

export interface Batch {
  readonly gap: Gap | null;
  readonly entries: readonly LogEntry[];
  readonly next: Position;
  readonly hasMore: boolean;
  /** The text for the wire, with `redelivered` as it stood when the batch was read. */
  text(entry: LogEntry): string;
}

export class ClientFeed {
  readonly clientId: string;
  readonly #log: EventLog;
  readonly #clients: ClientStore;

  constructor(clientId: string, log: EventLog, clients: ClientStore) {
    this.clientId = clientId;
    this.#log = log;
    this.#clients = clients;
  }

  /** Acknowledged up to here; null: nothing yet. */
  cursor(): Position | null {
    return this.#clients.get(this.clientId)?.cursor ?? null;
  }

  /** Where it goes on by itself. */
  position(): Position {
    const record = this.#clients.get(this.clientId);
    return record?.cursor ?? record?.base ?? this.#log.oldest();
  }

  acknowledge(to: Position): Position {
    return this.#clients.acknowledge(this.clientId, to);
  }

  /** Everything up to here may have been sent to this client by now. */
  markSent(to: Position): void {
    this.#clients.markSent(this.clientId, to);
  }

  /** Whether it can have this position in its hands, over whichever transport. */
  mayHave(position: Position): boolean {
    const sent = this.#clients.get(this.clientId)?.sent ?? null;
    return sent !== null && this.#log.compare(position, sent) <= 0;
  }

  /** Where a client that wants to go on from `wanted` stands (contract E5). */
  startAt(wanted: Position): Start {
    const oldest = this.#log.oldest();
    if (this.#log.locate(wanted) === 'known') return { at: wanted, gap: null };
    return { at: oldest, gap: { from: wanted, to: oldest, lost: null, reason: 'unknown_epoch' } };
  }

  /** What follows `after`, at most `limit` events. */
  read(after: Position, limit: number): Batch {
    const page = this.#log.read(after, limit);
    const repeatedUpTo = this.#repeatedUpTo(page.entries[0]);
    return { ...page, text: (entry) => envelope(entry, entry.offset <= repeatedUpTo) };
  }

  /** The last offset, in the epoch of `first`, that may have been sent before. A page is of one epoch. */
  #repeatedUpTo(first: LogEntry | undefined): number {
    const sent = this.#clients.get(this.clientId)?.sent ?? null;
    if (!first || sent === null) return 0;
    if (sent.epoch === first.epoch) return sent.offset;
    return this.#log.compare(sent, first) > 0 ? Number.POSITIVE_INFINITY : 0;
  }
}

/** Two gaps that follow each other directly, told as one. */
export function joinGaps(first: Gap | null, second: Gap | null): Gap | null {
  if (!first || !second) return first ?? second;
  const lost = first.lost === null || second.lost === null ? null : first.lost + second.lost;
  return { from: first.from, to: second.to, lost, reason: first.reason };
}

export function sameGap(a: Gap | null, b: Gap): boolean {
  return a !== null && samePosition(a.from, b.from) && samePosition(a.to, b.to);
}
