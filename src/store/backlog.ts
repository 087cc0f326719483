/**
 * What waits in memory while the disk refuses (contract D10): events in order, up to a limit and then counted as
 * lost, and other writes by the row they are for. Pure.
 */

/** A write of one row. A later one of the same key makes it needless. */
export interface KeyedWrite {
  readonly key: string;
  readonly run: () => void;
  /** What a reader of the row is to see while it waits; undefined: the row is gone. */
  readonly value: unknown;
}

/** Contract D10. */
export const MAX_WAITING_EVENTS = 10_000;
/** Far above what clients, children and commands fill in a day; beyond it the oldest write is given up. */
export const MAX_WAITING_WRITES = 10_000;

export class Backlog<E> {
  #events: E[] = [];
  #lost = 0;
  readonly #writes = new Map<string, KeyedWrite>();

  get events(): readonly E[] {
    return this.#events;
  }

  get writes(): readonly KeyedWrite[] {
    return [...this.#writes.values()];
  }

  /** Events that came when there was no room left for them. */
  get lost(): number {
    return this.#lost;
  }

  addEvent(event: E): void {
    if (this.#events.length < MAX_WAITING_EVENTS) this.#events.push(event);
    else this.#lost++;
  }

  addWrite(write: KeyedWrite): void {
    this.#writes.delete(write.key);
    this.#writes.set(write.key, write);
    if (this.#writes.size <= MAX_WAITING_WRITES) return;
    const oldest = this.#writes.keys().next();
    if (!oldest.done) this.#writes.delete(oldest.value);
  }

  find(key: string): KeyedWrite | undefined {
    return this.#writes.get(key);
  }

  dropEvents(count: number): void {
    this.#events = this.#events.slice(count);
  }

  /** These are done; one that came for the same row since waits on. */
  dropWrites(done: readonly KeyedWrite[]): void {
    for (const write of done) if (this.#writes.get(write.key) === write) this.#writes.delete(write.key);
  }

  takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }
}
