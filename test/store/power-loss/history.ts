/**
 * What the writing program said it did, and what must therefore be found on any disk that the power loss leaves. Pure.
 */
import type { Position } from '../../../src/protocol/position.ts';

/** One line of the writer, in the order of its system calls. */
export type Marker =
  /** These offsets may be given from now on. */
  | { readonly kind: 'appending'; readonly epoch: string; readonly from: number; readonly to: number }
  | { readonly kind: 'appended'; readonly epoch: string; readonly offset: number; readonly id: string }
  /** `durable()` has settled, or the store is closed: up to here nothing may be missing. */
  | {
      readonly kind: 'durable';
      readonly last: Position;
      readonly counter: number;
      readonly cursor: Position | null;
    }
  /** Events up to here may be dropped by retention from now on. */
  | { readonly kind: 'pruning'; readonly epoch: string; readonly upTo: number };

/** What the reader found on one disk. */
export interface Found {
  readonly error: string | null;
  readonly findings: readonly { readonly event_type?: string }[];
  readonly events: readonly { readonly epoch: string; readonly offset: number; readonly id: string }[];
  readonly counter: number;
  readonly cursor: Position | null;
  /** Appended by the reader itself, after it had opened the store. */
  readonly given: readonly Position[];
}

/** Each promise of the history that the found disk breaks, as a sentence; empty: none. */
export function brokenPromises(history: readonly Marker[], found: Found): string[] {
  if (found.error !== null) return [`it does not open: ${found.error}`];
  const broken: string[] = found.findings.map(
    (f) => `a power loss is taken for damage: ${JSON.stringify(f)}`,
  );
  const events = new Map(found.events.map((e) => [key(e), e.id]));
  const dropped = new Map<string, number>();
  const handedOut = new Set<string>();
  const epochs: string[] = [];
  const written: { readonly at: Position; readonly id: string }[] = [];
  let promised = 0;
  let counter = 0;
  let cursor: Position | null = null;
  for (const marker of history) {
    switch (marker.kind) {
      case 'appending':
        if (!epochs.includes(marker.epoch)) epochs.push(marker.epoch);
        for (let n = marker.from; n <= marker.to; n++) handedOut.add(key({ epoch: marker.epoch, offset: n }));
        break;
      case 'appended':
        written.push({ at: marker, id: marker.id });
        break;
      case 'durable':
        promised = written.findLastIndex((w) => key(w.at) === key(marker.last)) + 1;
        counter = marker.counter;
        cursor = marker.cursor;
        break;
      case 'pruning':
        for (const epoch of epochs) {
          const upTo = epoch === marker.epoch ? marker.upTo : Number.POSITIVE_INFINITY;
          dropped.set(epoch, Math.max(upTo, dropped.get(epoch) ?? 0));
        }
    }
  }
  for (const [i, { at, id }] of written.entries()) {
    const there = events.get(key(at));
    const mayBeGone = at.offset <= (dropped.get(at.epoch) ?? 0);
    if (there === undefined && i < promised && !mayBeGone)
      broken.push(`${key(at)} was durable and is missing`);
    if (there !== undefined && there !== id) broken.push(`${key(at)} is another event now`);
  }
  for (const at of found.given) if (handedOut.has(key(at))) broken.push(`${key(at)} was given twice`);
  if (found.counter < counter) broken.push(`the record says ${found.counter}, ${counter} was durable`);
  const order = (at: Position | null) => (at ? epochs.indexOf(at.epoch) * 1e9 + at.offset : -1);
  if (order(found.cursor) < order(cursor)) broken.push('an acknowledgement that was durable is missing');
  return broken;
}

const key = ({ epoch, offset }: Position): string => `${epoch}/${offset}`;
