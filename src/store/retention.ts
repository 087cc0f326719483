/**
 * What is dropped, and when: events past their number or age, what clients no longer ask for, results of commands
 * after 30 days (contract K2). Nothing is told here: the timeline derives the gap from what is kept.
 */
import type { Connection } from './connection.ts';
import { type EpochTable, MAX_EPOCHS } from './epochs.ts';
import { selectRows } from './rows.ts';
import { EVENTS, toSeq } from './schema.ts';
import { nextKept, runEnd, type Span, type Timeline } from './timeline.ts';

const DAY_MS = 86_400_000;
const COMMAND_DAYS = 30;
/** Usage rows are small and a parent may look back; sessions that Firebase never confirmed go with them. */
const USAGE_DAYS = 400;

export interface Retention {
  readonly max_events: number;
  readonly max_days: number;
}

export class Pruner {
  readonly #db: Connection;
  readonly #timeline: Timeline;
  readonly #epochs: EpochTable;

  constructor(db: Connection, timeline: Timeline, epochs: EpochTable) {
    this.#db = db;
    this.#timeline = timeline;
    this.#epochs = epochs;
  }

  /**
   * Drops the oldest events, `count` at most, in a transaction of its own given as `aside`; returns how many went. The
   * timeline follows only when it is committed.
   */
  dropOldest(count: number, aside: (work: () => void) => boolean): number {
    let dropped = 0;
    const cuts: { span: Span; to: number }[] = [];
    const done = aside(() => {
      const remove = this.#db.prepare<never>('DELETE FROM events WHERE seq <= ?');
      for (const span of this.#timeline.spans) {
        let to = span.prunedTo;
        for (let next = nextKept(span, to); next !== null && dropped < count; next = nextKept(span, to)) {
          to = Math.min(runEnd(span, next - 1), next - 1 + count - dropped);
          dropped += remove.run([toSeq(span.ordinal, to)]);
        }
        if (to === span.prunedTo) continue;
        cuts.push({ span, to });
        this.#epochs.put({ ...span, prunedTo: to });
      }
    });
    if (!done) return 0;
    for (const { span, to } of cuts) {
      span.prunedTo = to;
      span.holes = span.holes.filter((hole) => hole.last > to);
    }
    return dropped;
  }

  /** Events kept that are older than `cutoff` (ISO 8601). Times in the log rise, so this is a binary search. */
  olderThan(cutoff: string): number {
    const at = selectRows(this.#db, EVENTS, 'WHERE seq >= ? ORDER BY seq LIMIT 1');
    let older = 0;
    for (const span of this.#timeline.spans) {
      let low = span.prunedTo;
      let high = span.last;
      while (low < high) {
        const middle = Math.ceil((low + high) / 2);
        const ts = at.get([toSeq(span.ordinal, middle)])?.ts;
        if (ts !== undefined && String(ts) < cutoff) low = middle;
        else high = middle - 1;
      }
      const before = { epoch: span.epoch, offset: span.prunedTo };
      older += this.#timeline.count(before) - this.#timeline.count({ ...before, offset: low });
      if (low < span.last) break;
    }
    return older;
  }

  /** Everything but events, inside a transaction. */
  dropRecords(nowMs: number, maxDays: number): void {
    const days = (n: number) => nowMs - n * DAY_MS;
    const run = (sql: string, ...params: (string | number)[]) => void this.#db.prepare(sql).run(params);
    run('DELETE FROM commands WHERE accepted_ms < ?', days(COMMAND_DAYS));
    run(
      `DELETE FROM sessions WHERE is_active = 0 AND (end_ms < ? OR (end_ms < ? AND EXISTS
         (SELECT 1 FROM sync WHERE sync.session_id = sessions.session_id AND confirmed = 1)))`,
      days(USAGE_DAYS),
      days(maxDays),
    );
    run('DELETE FROM sync WHERE NOT EXISTS (SELECT 1 FROM sessions s WHERE s.session_id = sync.session_id)');
    run('DELETE FROM usage WHERE day < ?', new Date(days(USAGE_DAYS)).toISOString().slice(0, 10));
  }

  /** Epochs of which nothing is kept, beyond those that are remembered; inside a transaction. */
  forgetEpochs(): void {
    for (const span of this.#timeline.spans.slice(0, -MAX_EPOCHS)) {
      if (nextKept(span, 0) !== null) return;
      this.#timeline.forget(span);
      this.#epochs.remove(span);
    }
  }
}
