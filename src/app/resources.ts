/** What the agent itself costs, for the status: CPU since the last look and resident memory. */

/** Looks closer together than this answer with the last figure: a short span says nothing. */
const SHORTEST_SPAN_MS = 500;

export interface Resources {
  /** Percent of one core since the last look. */
  readonly cpu_percent: number;
  readonly rss_bytes: number;
}

/**
 * A meter over this process; `monotonic` in ms. To read its memory takes a descriptor: while there is none, as when
 * somebody floods the agent with connections, the last figure holds.
 */
export function createResourceMeter(
  monotonic: () => number,
  rss: () => number = process.memoryUsage.rss,
): () => Resources {
  let since = monotonic();
  let before = process.cpuUsage();
  let percent = 0;
  let rssBytes = 0;
  return () => {
    const span = monotonic() - since;
    if (span >= SHORTEST_SPAN_MS) {
      const { user, system } = process.cpuUsage(before);
      percent = Math.round(((user + system) / 1_000 / span) * 10_000) / 100;
      since = monotonic();
      before = process.cpuUsage();
    }
    try {
      rssBytes = rss();
    } catch {}
    return { cpu_percent: percent, rss_bytes: rssBytes };
  };
}
