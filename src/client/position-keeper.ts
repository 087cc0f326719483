/**
 * How far the program came, as stored. An acknowledgement counts once its save has settled; acknowledgements that
 * come while a save is under way share the next one, so that a slow disk costs one write at a time.
 */
import type { Position } from '../protocol/position.ts';
import { Marks } from './marks.ts';
import type { PositionStore } from './ports.ts';

export class PositionKeeper {
  readonly #store: PositionStore;
  /** What is stored. */
  #stored: Marks;
  /** What is to be stored; runs ahead of `#stored` while a save is under way. */
  #wanted: Marks;
  #saving: Promise<void> | null = null;
  #next: Promise<void> | null = null;

  constructor(store: PositionStore, loaded: readonly Position[]) {
    this.#store = store;
    this.#stored = new Marks(loaded);
    this.#wanted = new Marks(loaded);
  }

  /** Where to resume from; null: the agent's cursor decides. */
  get position(): Position | null {
    return this.#stored.latest;
  }

  /** What of this epoch is stored as acknowledged; -1 when nothing is. */
  storedOffset(epoch: string): number {
    return this.#stored.offsetOf(epoch);
  }

  /** Settles when it is stored; rejects when the store refuses, and nothing counts as acknowledged then. */
  acknowledge(position: Position): Promise<void> {
    if (this.#stored.covers(position)) return Promise.resolve();
    this.#wanted.raise(position);
    this.#next ??= this.#saveAfter(this.#saving);
    return this.#next;
  }

  forget(epoch: string): void {
    this.#stored.forget(epoch);
    this.#wanted.forget(epoch);
  }

  /** Settles when no save is under way. */
  async idle(): Promise<void> {
    while (this.#next ?? this.#saving) await (this.#next ?? this.#saving)?.catch(() => {});
  }

  async #saveAfter(earlier: Promise<void> | null): Promise<void> {
    await earlier?.catch(() => {});
    // A turn of the loop, so that a burst of acknowledgements is one save.
    await Promise.resolve();
    const saving = this.#save();
    this.#saving = saving;
    this.#next = null;
    try {
      await saving;
    } finally {
      if (this.#saving === saving) this.#saving = null;
    }
  }

  async #save(): Promise<void> {
    const positions = this.#wanted.list();
    try {
      await this.#store.save(positions);
      this.#stored = new Marks(positions);
    } catch (error) {
      this.#wanted = new Marks(this.#stored.list());
      throw error;
    }
  }
}
