/**
 * The game processes whose start was told and whose stop was not: a map in memory over the store's table, so that
 * a restart of the scanner or of the agent tells nothing twice and loses no stop (contract E1). Writes join the
 * caller's commit.
 */
import type { Explanation } from '../protocol/events.ts';
import type { ProcessIdentity } from '../protocol/messages.ts';
import type { ToldProcess, ToldStore } from '../protocol/ports.ts';
import { processKey } from './process-key.ts';

export class ToldProcesses {
  readonly #rows = new Map<string, ToldProcess>();
  /** What was told as stopped since it is another child's now, and still runs. */
  readonly #released = new Map<string, ToldProcess>();
  readonly #store: ToldStore;

  constructor(store: ToldStore) {
    this.#store = store;
    for (const row of store.all()) this.#mapOf(row).set(processKey(row.process), row);
  }

  get(identity: ProcessIdentity): ToldProcess | undefined {
    return this.#rows.get(processKey(identity));
  }

  all(): ToldProcess[] {
    return [...this.#rows.values()];
  }

  put(row: ToldProcess): void {
    this.#released.delete(processKey(row.process));
    this.#mapOf(row).set(processKey(row.process), row);
    this.#store.put(row);
  }

  /** Told as stopped, and not gone: a restart must know that what it played before is another's. */
  release(row: ToldProcess): void {
    this.#rows.delete(processKey(row.process));
    this.put({ ...row, released: true });
  }

  released(identity: ProcessIdentity): ToldProcess | undefined {
    return this.#released.get(processKey(identity));
  }

  /** Forgets those of them that are not among these. */
  keepReleased(present: ReadonlySet<string>): void {
    for (const [key, { process }] of this.#released) if (!present.has(key)) this.remove(process);
  }

  /** It is told as stopped; what becomes of its row in the store is the caller's to say. False: there was none. */
  forget(identity: ProcessIdentity): boolean {
    const key = processKey(identity);
    const wasReleased = this.#released.delete(key);
    return this.#rows.delete(key) || wasReleased;
  }

  remove(identity: ProcessIdentity): void {
    if (this.forget(identity)) this.#store.remove(identity.pid, identity.startKey);
  }

  #mapOf(row: ToldProcess): Map<string, ToldProcess> {
    return row.released ? this.#released : this.#rows;
  }

  /** Notes how the coming stop is to be told, and why; null when the close failed after all. */
  markClosing(identity: ProcessIdentity, closing: ToldProcess['closing'], why?: Explanation): void {
    const row = this.get(identity);
    if (!row || row.closing === closing) return;
    const { why: _, ...rest } = row;
    this.put({ ...rest, closing, ...(why && { why }) });
  }
}
