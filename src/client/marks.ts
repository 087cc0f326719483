/**
 * The highest offset of each epoch: what tells an event that came before from one that did not. Pure data, at most
 * eight epochs; the one that was raised longest ago is forgotten first.
 */
import type { Position } from '../protocol/position.ts';

const MAX_EPOCHS = 8;

export class Marks {
  readonly #offsets = new Map<string, number>();

  constructor(positions: readonly Position[] = []) {
    for (const position of positions) this.raise(position);
  }

  /** Makes this epoch the newest; what is covered moves nothing, neither an offset nor the order. */
  raise(position: Position): void {
    if (this.covers(position)) return;
    const { epoch, offset } = position;
    this.#offsets.delete(epoch);
    this.#offsets.set(epoch, offset);
    const [oldest] = this.#offsets.keys();
    if (this.#offsets.size > MAX_EPOCHS && oldest !== undefined) this.#offsets.delete(oldest);
  }

  covers({ epoch, offset }: Position): boolean {
    return offset <= this.offsetOf(epoch);
  }

  /** -1 for an epoch that was never seen. */
  offsetOf(epoch: string): number {
    return this.#offsets.get(epoch) ?? -1;
  }

  get latest(): Position | null {
    return this.list().at(-1) ?? null;
  }

  /** Oldest first. */
  list(): Position[] {
    return [...this.#offsets].map(([epoch, offset]) => ({ epoch, offset }));
  }
}
