/**
 * How far the program came, as stored. An acknowledgement counts once its save has settled; acknowledgements that
 * come while a save is under way share the next one, so that a slow disk costs one write at a time. What the store
 * refuses stays wanted and is saved again by itself: a program that waits for events would acknowledge nothing more.
 */
import type { Clock } from '../protocol/ports.ts';
import type { Position } from '../protocol/position.ts';
import { backoff } from './link.ts';
import { Marks } from './marks.ts';
import type { PositionStore } from './ports.ts';

/** First wait and cap between saves of a store that refuses, ms. */
const SAVE_RETRY = { firstMs: 500, capMs: 10_000 } as const;
/** Nobody else is at the store: no jitter. */
const NO_JITTER = 0.5;

export interface KeeperHost {
  readonly store: PositionStore;
  readonly clock: Pick<Clock, 'after'>;
  /** More is stored than before: the agent may be told. */
  onStored(): void;
}

export class PositionKeeper {
  readonly #host: KeeperHost;
  /** What is stored. */
  #stored: Marks;
  /** What is to be stored; runs ahead of `#stored` until a save has settled. */
  #wanted: Marks;
  /** `#wanted` holds what no save has taken yet, or what the last one could not store. */
  #unsaved = false;
  #saving: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #failures = 0;
  #cancelRetry = () => {};
  #closed = false;

  constructor(host: KeeperHost, loaded: readonly Position[]) {
    this.#host = host;
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

  /**
   * Settles when these, in the order in which they came, and all before them are stored. Rejects when the store refuses:
   * nothing counts as acknowledged then until a later save, of which there is one soon.
   */
  acknowledge(positions: readonly Position[]): Promise<void> {
    for (const position of positions) {
      if (this.#wanted.covers(position)) continue;
      this.#wanted.raise(position);
      this.#unsaved = true;
    }
    return this.#unsaved ? this.#saveNext() : (this.#saving ?? Promise.resolve());
  }

  /** From now on there is no position. Stays out of the store until `storeForgetting`: first the program must know. */
  forget(): void {
    this.#stored = new Marks();
    this.#wanted = new Marks();
    this.#unsaved = false;
    this.#cancelRetry();
  }

  /** Stores what there is since `forget`, be it nothing. Settles as `acknowledge` does. */
  storeForgetting(): Promise<void> {
    this.#unsaved = true;
    return this.#saveNext();
  }

  /** Saves what is unsaved once more; settles when no save is under way, and none comes by itself any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelRetry();
    if (this.#unsaved) this.#saveNext().catch(() => {});
    while (this.#next ?? this.#saving) await (this.#next ?? this.#saving)?.catch(() => {});
  }

  #saveNext(): Promise<void> {
    this.#next ??= this.#saveAfter(this.#saving);
    return this.#next;
  }

  async #saveAfter(earlier: Promise<void> | null): Promise<void> {
    await earlier?.catch(() => {});
    // A turn of the loop, so that a burst of acknowledgements is one save.
    await Promise.resolve();
    const saving = this.#unsaved ? this.#save() : Promise.resolve();
    this.#saving = saving;
    this.#next = null;
    try {
      await saving;
    } finally {
      if (this.#saving === saving) this.#saving = null;
    }
  }

  async #save(): Promise<void> {
    this.#cancelRetry();
    this.#unsaved = false;
    const wanted = this.#wanted;
    const positions = wanted.list();
    try {
      await this.#host.store.save(positions);
    } catch (error) {
      this.#failures++;
      if (wanted === this.#wanted) this.#retryLater();
      throw error;
    }
    this.#failures = 0;
    // Otherwise it was forgotten meanwhile.
    if (wanted !== this.#wanted) return;
    this.#stored = new Marks(positions);
    this.#host.onStored();
  }

  #retryLater(): void {
    this.#unsaved = true;
    if (this.#closed) return;
    const retry = () => void this.#saveNext().catch(() => {});
    this.#cancelRetry = this.#host.clock.after(backoff(SAVE_RETRY, this.#failures, NO_JITTER), retry);
  }
}
