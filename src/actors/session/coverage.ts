/** Which stretches of the awake clock were charged already, so that no minute is charged twice. Pure. */

/** A stretch of the awake clock, ms: start inclusive, end exclusive. */
export type Span = readonly [fromMs: number, toMs: number];

/**
 * The most spans that are remembered. Beyond it the two oldest become one: the hole between them then counts as
 * charged, so that at worst a late discovery is charged too little, never twice.
 */
const MAX_SPANS = 64;

/** Adds a stretch; `added` is what of it was not covered before. */
export function cover(
  spans: readonly Span[],
  fromMs: number,
  toMs: number,
): { readonly spans: readonly Span[]; readonly added: readonly Span[] } {
  if (toMs <= fromMs) return { spans, added: [] };
  const last = spans.at(-1);
  // What nearly every tick does: the last span grows.
  if (last && fromMs >= last[0] && fromMs <= last[1]) {
    if (toMs <= last[1]) return { spans, added: [] };
    return { spans: [...spans.slice(0, -1), [last[0], toMs]], added: [[last[1], toMs]] };
  }
  const added: Span[] = [];
  let at = fromMs;
  for (const [from, to] of spans) {
    if (to <= at || from >= toMs) continue;
    if (from > at) added.push([at, from]);
    at = Math.max(at, to);
  }
  if (at < toMs) added.push([at, toMs]);
  return { spans: bounded(joined([...spans, [fromMs, toMs]])), added };
}

/** The first moment from `fromMs` on that is not covered. */
export function uncoveredFrom(spans: readonly Span[], fromMs: number): number {
  let at = fromMs;
  for (const [from, to] of spans) if (from <= at && at < to) at = to;
  return at;
}

function joined(spans: readonly Span[]): Span[] {
  const result: [number, number][] = [];
  for (const [from, to] of [...spans].sort((a, b) => a[0] - b[0])) {
    const last = result.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else result.push([from, to]);
  }
  return result;
}

function bounded(spans: Span[]): Span[] {
  const [first, second] = spans;
  if (spans.length <= MAX_SPANS || !first || !second) return spans;
  return [[first[0], second[1]], ...spans.slice(2)];
}
