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

  /** Makes this epoch the newest. An offset never goes back. */
  raise({ epoch, offset }: Position): void {
    const highest = Math.max(offset, this.#offsets.get(epoch) ?? 0);
    this.#offsets.delete(epoch);
    this.#offsets.set(epoch, highest);
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

  forget(epoch: string): void {
    this.#offsets.delete(epoch);
  }

  get latest(): Position | null {
    return this.list().at(-1) ?? null;
  }

  /** Oldest first. */
  list(): Position[] {
    return [...this.#offsets].map(([epoch, offset]) => ({ epoch, offset }));
  }
}
