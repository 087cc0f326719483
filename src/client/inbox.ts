/**
 * What arrived and was not acknowledged: drops what came before, keeps the order, hands items to the iterator. Bounded
 * by the caller, who asks `room` before it fetches; over the limit an item is refused and will be sent again.
 */
import type { DeliveredEvent } from '../protocol/events.ts';
import { type Gap, type Position, samePosition } from '../protocol/position.ts';
import { Marks } from './marks.ts';

/** Twice the agent's window: a link and the one that replaced it may both have had one in flight. */
export const INBOX_LIMIT = 512;

/** What a link brings. */
export type Arrival =
  | { readonly kind: 'event'; readonly event: DeliveredEvent }
  | { readonly kind: 'gap'; readonly gap: Gap };

/** `anew`: a gap after which the reader stands nowhere, since the agent does not know where it stood. */
export type Item = Arrival | { readonly kind: 'anew'; readonly gap: Gap };

interface Outstanding {
  /** Where a reader stands once it has this behind it. */
  readonly end: Position;
  /** A gap needs no acknowledgement of its own once it was told. */
  settled: boolean;
}

export class Inbox {
  #received: Marks;
  /** Received before the reader began anew: acknowledging it is no mistake, and means nothing any more. */
  readonly #forgotten = new Marks();
  readonly #queue: Item[] = [];
  #outstanding: Outstanding[] = [];
  #waiting: (() => void)[] = [];
  #closed = false;

  constructor(acknowledged: readonly Position[]) {
    this.#received = new Marks(acknowledged);
  }

  get unacknowledged(): number {
    return this.#outstanding.length;
  }

  get room(): number {
    return INBOX_LIMIT - this.#outstanding.length;
  }

  received(position: Position): boolean {
    return this.#received.covers(position) || this.#forgotten.covers(position);
  }

  /** `duplicate`: it came before. `full`: refused, nothing is remembered of it. */
  offer(item: Arrival): 'taken' | 'duplicate' | 'full' {
    const end = item.kind === 'event' ? item.event.meta : item.gap.to;
    if (this.#received.covers(end)) return 'duplicate';
    if (this.room <= 0) return 'full';
    this.#received.raise(end);
    this.#outstanding.push({ end: { epoch: end.epoch, offset: end.offset }, settled: false });
    this.#put(item);
    return 'taken';
  }

  /** The next item, when there is one; null once closed and empty. */
  async next(): Promise<Item | null> {
    for (;;) {
      const item = this.#queue.shift();
      if (item) return item;
      if (this.#closed) return null;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Hands it out again, first: the program could not take it. */
  putBack(item: Item): void {
    this.#queue.unshift(item);
  }

  /**
   * Takes everything up to `position` as acknowledged. Returns what the reader has behind it now and had not before, told
   * gaps included, in the order in which it came. What was not handed out is another event of this number, from before
   * the reader began anew.
   */
  acknowledge(position: Position): Position[] {
    if (this.#forgotten.covers(position) && this.#isQueued(position)) return [];
    return this.#settle(this.#outstanding.findIndex((o) => samePosition(o.end, position)) + 1);
  }

  /** The gap was told to the program; returns as `acknowledge` does: nothing while something before it is outstanding. */
  told(gap: Gap): Position[] {
    const entry = this.#outstanding.find((o) => samePosition(o.end, gap.to));
    if (entry) entry.settled = true;
    return this.#settle(0);
  }

  /** The agent does not know where the reader stands: what comes is taken as new, once this gap was told. */
  beginAnew(gap: Gap): void {
    for (const position of this.#received.list()) this.#forgotten.raise(position);
    this.#received = new Marks();
    this.#outstanding = [];
    this.#put({ kind: 'anew', gap });
  }

  close(): void {
    this.#closed = true;
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #isQueued(position: Position): boolean {
    return this.#queue.some((item) => item.kind === 'event' && samePosition(item.event.meta, position));
  }

  #put(item: Item): void {
    this.#queue.push(item);
    this.#waiting.shift()?.();
  }

  /** The first so many, and the told gaps right behind them. */
  #settle(count: number): Position[] {
    let end = count;
    while (this.#outstanding[end]?.settled) end++;
    return this.#outstanding.splice(0, end).map((o) => o.end);
  }
}
