/** Lists that grow with what somebody else did, cut to what a frame holds (contract section 5: 64 KiB). Pure. */

/** What a list may take of a frame, bytes of JSON; the rest is for what stands around it. */
const MAX_LIST_BYTES = 48 * 1024;

export interface Fitting<T> {
  readonly items: readonly T[];
  readonly leftOut: number;
}

/** The first of them that fit. An event that no client can take would hold up all that follow it, so it is not made. */
export function fitting<T>(items: readonly T[]): Fitting<T> {
  const encoder = new TextEncoder();
  let bytes = 0;
  const end = items.findIndex((item) => {
    bytes += encoder.encode(JSON.stringify(item)).length + 1;
    return bytes > MAX_LIST_BYTES;
  });
  return end === -1 ? { items, leftOut: 0 } : { items: items.slice(0, end), leftOut: items.length - end };
}
