/**
 * What a link has sent and its client has not acknowledged: at most one window of positions, and the pings of a
 * simple client whose pongs will acknowledge. Pure.
 */
import { WS_LIMITS } from '../protocol/frames.ts';
import type { Position } from '../protocol/position.ts';

type Compare = (a: Position, b: Position) => number;

export class Flight {
  readonly #compare: Compare;
  #events: Position[] = [];
  /** Outstanding pings, oldest first: an offset alone could be of two epochs, the order tells which. */
  #pings: { readonly payload: string; readonly at: Position }[] = [];
  /** When the window last moved, monotonic ms. */
  #progressMs = 0;

  constructor(compare: Compare) {
    this.#compare = compare;
  }

  /** How many more events may be sent now. */
  get room(): number {
    return WS_LIMITS.windowEvents - this.#events.length;
  }

  sent(at: Position, now: number): void {
    if (this.#events.length === 0) this.#progressMs = now;
    this.#events.push(at);
  }

  /** Everything up to `to` is acknowledged. */
  acknowledged(to: Position, now: number): void {
    const first = this.#events.findIndex((at) => this.#compare(at, to) > 0);
    const count = first < 0 ? this.#events.length : first;
    if (count === 0) return;
    this.#events.splice(0, count);
    this.#progressMs = now;
  }

  /** How long the oldest event has waited without any progress, ms; 0 when nothing is in flight. */
  overdueMs(now: number): number {
    return this.#events.length === 0 ? 0 : now - this.#progressMs;
  }

  /** Notes a ping that marks the end of a batch; returns its payload. */
  mark(at: Position): string {
    const payload = `o:${at.offset}`;
    this.#pings.push({ payload, at });
    return payload;
  }

  /** The position that a pong acknowledges, together with all pings before it; null: not one of these pings. */
  matched(payload: string): Position | null {
    const index = this.#pings.findIndex((ping) => ping.payload === payload);
    const ping = this.#pings[index];
    if (!ping) return null;
    this.#pings.splice(0, index + 1);
    return ping.at;
  }
}
