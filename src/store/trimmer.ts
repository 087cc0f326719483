/**
 * What a running store drops, in steps: what is past its retention, and acknowledged events when a full disk needs
 * room. Damage ends a step and not the agent: the connection remembers it, and the next start mends it (contract D11).
 */
import type { Clock } from '../protocol/ports.ts';
import type { Clients } from './clients.ts';
import { isDamageError } from './connection.ts';
import type { Pruner, Retention } from './retention.ts';
import type { Timeline } from './timeline.ts';

/** What one step of making room or of retention drops at most: some ten ms of work. */
const DROP_AT_ONCE = 10_000;
const DROP_PAUSE_MS = 20;
const DAY_MS = 86_400_000;

export interface TrimmerOptions {
  readonly clock: Clock;
  readonly timeline: Timeline;
  readonly pruner: Pruner;
  /** undefined: while the store opens nobody's cursor is known yet. */
  readonly clients: () => Clients | undefined;
  readonly aside: (work: () => void) => boolean;
}

export class Trimmer {
  readonly #options: TrimmerOptions;
  #stopPruning = (): void => {};

  constructor(options: TrimmerOptions) {
    this.#options = options;
  }

  /** Drops what is past its retention, now and in steps that follow. */
  prune(retention: Retention): void {
    this.stop();
    if (unlessDamaged(() => this.#pruneStep(retention), false)) {
      this.#stopPruning = this.#options.clock.after(DROP_PAUSE_MS, () => this.prune(retention));
    }
  }

  /** Drops the oldest events that all clients have acknowledged; true when some went. */
  dropAcknowledged(): boolean {
    const cursor = this.#options.clients()?.acknowledgedByAll();
    if (!cursor) return false;
    const { timeline } = this.#options;
    const acknowledged = timeline.count(timeline.oldest()) - timeline.count(cursor);
    return unlessDamaged(() => this.#drop(acknowledged), 0) > 0;
  }

  stop(): void {
    this.#stopPruning();
  }

  /** True when there is more to drop. */
  #pruneStep(retention: Retention): boolean {
    const { clock, clients, aside, pruner, timeline } = this.#options;
    const now = clock.wall();
    clients()?.forgetUnseen();
    aside(() => {
      pruner.dropRecords(now, retention.max_days);
      pruner.forgetEpochs();
    });
    const cutoff = new Date(now - retention.max_days * DAY_MS).toISOString();
    const excess = timeline.count(timeline.oldest()) - retention.max_events;
    const due = Math.max(excess, pruner.olderThan(cutoff));
    const dropped = this.#drop(due);
    return dropped > 0 && dropped < due;
  }

  #drop(count: number): number {
    const { pruner, aside } = this.#options;
    return count <= 0 ? 0 : pruner.dropOldest(Math.min(count, DROP_AT_ONCE), aside);
  }
}

function unlessDamaged<T>(step: () => T, otherwise: T): T {
  try {
    return step();
  } catch (error) {
    if (!isDamageError(error)) throw error;
    return otherwise;
  }
}
