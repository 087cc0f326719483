/**
 * What arrived and was not acknowledged: drops what came before, keeps the order, hands items to the iterator. Bounded
 * by the caller, who asks `room` before it fetches; over the limit an item is refused and will be sent again.
 */
import type { DeliveredEvent } from '../protocol/events.ts';
import type { Gap, Position } from '../protocol/position.ts';
import { Marks } from './marks.ts';

/** Twice the agent's window: a link and the one that replaced it may both have had one in flight. */
export const INBOX_LIMIT = 512;

export type Item =
  | { readonly kind: 'event'; readonly event: DeliveredEvent }
  | { readonly kind: 'gap'; readonly gap: Gap };

interface Outstanding {
  /** Where a reader stands once it has this behind it. */
  readonly end: Position;
  /** A gap needs no acknowledgement of its own once it was told. */
  settled: boolean;
}

export class Inbox {
  readonly #received: Marks;
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
    return this.#received.covers(position);
  }

  /** `duplicate`: it came before. `full`: refused, nothing is remembered of it. */
  offer(item: Item): 'taken' | 'duplicate' | 'full' {
    const end = item.kind === 'event' ? item.event.meta : item.gap.to;
    if (this.#received.covers(end)) return 'duplicate';
    if (this.room <= 0) return 'full';
    this.#received.raise(end);
    this.#outstanding.push({ end: { epoch: end.epoch, offset: end.offset }, settled: false });
    this.#queue.push(item);
    this.#waiting.shift()?.();
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

  /** Takes everything up to `position` as acknowledged; returns where the reader stands now, told gaps included. */
  acknowledge(position: Position): Position {
    const at = this.#outstanding.findIndex((o) => same(o.end, position));
    return this.#settle(this.#outstanding.slice(at + 1), position);
  }

  /** The gap was told to the program; returns where the reader stands now if nothing before it is outstanding. */
  told(gap: Gap): Position | null {
    const entry = this.#outstanding.find((o) => same(o.end, gap.to));
    if (entry) entry.settled = true;
    return this.#outstanding[0]?.settled ? this.#settle(this.#outstanding, gap.to) : null;
  }

  /** The agent does not know our offsets of this epoch: what comes is taken as new. */
  forget(epoch: string): void {
    this.#received.forget(epoch);
  }

  close(): void {
    this.#closed = true;
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #settle(rest: Outstanding[], from: Position): Position {
    let position = from;
    let skip = 0;
    for (; rest[skip]?.settled; skip++) position = rest[skip]?.end ?? position;
    this.#outstanding = rest.slice(skip);
    return position;
  }
}

function same(a: Position, b: Position): boolean {
  return a.epoch === b.epoch && a.offset === b.offset;
}
