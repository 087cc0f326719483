/** Positions in the event log: (epoch, offset), gaps between them, and the page a reader gets. Pure. */
import * as z from 'zod/mini';

/** A larger one than can be counted is cut to the largest that can: it was never given either, and is told so. */
export const offset = z.number().check(
  z.refine(Number.isInteger, 'must be a whole number'),
  z.minimum(0),
  z.overwrite((n) => Math.min(n, Number.MAX_SAFE_INTEGER)),
  z.meta({ type: 'integer' }),
);

/**
 * A position means: everything up to and including this offset of this epoch is behind me. Offset 0 stands before
 * the first event of its epoch.
 */
export const position = z.object({ epoch: z.string().check(z.maxLength(64)), offset });
export type Position = z.infer<typeof position>;

export function samePosition(a: Position, b: Position): boolean {
  return a.epoch === b.epoch && a.offset === b.offset;
}

/**
 * Events that cannot be had any more (contract D7). A reader that stood at `from` stands at `to` once it was told:
 * what lies between them is lost. Within one epoch `lost` is `to.offset - from.offset`; null: nobody can know.
 */
export const gap = z.object({
  from: position,
  to: position,
  lost: z.nullable(z.int().check(z.minimum(0))),
  reason: z.string(),
});
export type Gap = z.infer<typeof gap>;

/** One event of the log, ready to be sent: `json` is the body without its closing brace's meta. */
export interface LogEntry {
  readonly epoch: string;
  readonly offset: number;
  /** UUIDv7 */
  readonly id: string;
  /** ISO 8601 */
  readonly ts: string;
  /** The event's body (`type`, `event_type`, `data`) as JSON text; meta is spliced in by `envelope`. */
  readonly body: string;
}

/** The text that goes over the wire: the body with `meta` as its last key. No parse, no second stringify. */
export function envelope(entry: LogEntry, redelivered: boolean): string {
  const { id, epoch, offset, ts } = entry;
  return `${entry.body.slice(0, -1)},"meta":{"id":"${id}","epoch":"${epoch}","offset":${offset},"ts":"${ts}","redelivered":${redelivered}}}`;
}

/** What follows a position: a gap that must be told first, then events of one epoch only, in order. */
export interface LogPage {
  readonly gap: Gap | null;
  readonly entries: readonly LogEntry[];
  /** Where the reader stands after it was given all of this. */
  readonly next: Position;
  readonly hasMore: boolean;
}
