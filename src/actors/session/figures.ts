/** How moments and lengths are written in events and rows. */

/** ISO 8601 in UTC, with ms begun: cut off as on the main thread, which writes the times of processes. */
export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** ms as minutes, to the third decimal (60 ms). */
export function minutes(ms: number): number {
  return Math.round(ms / 60) / 1_000;
}
