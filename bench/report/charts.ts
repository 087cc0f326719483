/** Charts as Vega-Lite specifications, from the measures of one run. Pure; results.ts makes SVG of them. */
import type { TopLevelSpec } from 'vega-lite';
import type { Measure } from './measure.ts';

/** Every chart: its title for readers, its file beside RESULTS.md, and how it is drawn. */
export const CHARTS = [
  { title: 'Latency of a start', file: 'charts/latency.svg', draw: latencyChart },
  { title: 'Cost of a scan', file: 'charts/scan.svg', draw: scanChart },
] as const;

/** Legend → the measure whose distribution is drawn. */
const LATENCIES: Readonly<Record<string, string>> = {
  'bare floor': 'detect.latency.floor.start.p50',
  'proc-events': 'detect.latency.start.p50',
  'proc-events, long poll': 'detect.settings.proc-events.long-poll.300.quiet.p50',
  'procfs, 50 ms': 'detect.latency-procfs.start.p50',
  'proc-events, 2 s poll': 'detect.settings.proc-events.2-s-poll.300.quiet.p50',
  'ps-list agent, 1 s': 'peers.latency.ps-list.start.p50',
  'psutil agent, 2 s': 'peers.latency.psutil.start.p50',
};

const LOOK = {
  width: 640,
  height: 320,
  background: 'white',
  config: { legend: { labelLimit: 0 } },
} as const;

/** Share of game starts told within a time, the time on a log axis. */
export function latencyChart(measures: readonly Measure[]): TopLevelSpec {
  const values = Object.entries(LATENCIES).flatMap(([who, id]) => {
    const curve = measures.find((m) => m.id === id)?.summary?.curve ?? [];
    return curve.map((ms, i) => ({ who, ms: Math.max(ms, 0.05), percent: 2 * i }));
  });
  return {
    ...LOOK,
    title: 'From the start of a game to the client: starts told within …',
    data: { values },
    mark: { type: 'line', interpolate: 'step-after', strokeWidth: 2 },
    encoding: {
      x: { field: 'ms', type: 'quantitative', scale: { type: 'log' }, title: 'ms since the exec' },
      y: { field: 'percent', type: 'quantitative', title: 'starts told, %' },
      color: { field: 'who', type: 'nominal', title: null, sort: Object.keys(LATENCIES) },
      order: { field: 'percent' },
    },
  };
}

/** What a quiet tick and a full look of procfs cost by number of processes. */
export function scanChart(measures: readonly Measure[]): TopLevelSpec {
  const values = measures.flatMap(({ id, value }) => {
    const found = /^detect\.tick\.(\d+)\.(quiet|full)$/.exec(id);
    if (!found || value === null) return [];
    const [, processes, kind] = found;
    const quiet = kind === 'quiet';
    const what = quiet ? 'quiet tick (20 a second)' : 'full look (one in 5 s)';
    return [{ processes: Number(processes), what, us: quiet ? value : value * 1_000 }];
  });
  return {
    ...LOOK,
    title: 'procfs: what one look costs',
    data: { values },
    mark: { type: 'line', point: true, strokeWidth: 2 },
    encoding: {
      x: { field: 'processes', type: 'quantitative', scale: { type: 'log' }, title: 'processes' },
      y: { field: 'us', type: 'quantitative', scale: { type: 'log' }, title: 'µs' },
      color: { field: 'what', type: 'nominal', title: null },
    },
  };
}
