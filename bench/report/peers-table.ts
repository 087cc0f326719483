/** The agent beside what people would use instead, as one table for readers. Pure. */
import type { Measure } from './measure.ts';
import { figure } from './text.ts';

interface Row {
  readonly name: string;
  /** Prefix of its latencies; the agent's and the floor's are measured alone. */
  readonly start: string;
  readonly id: string;
  readonly idle: string;
}

const ROWS: readonly Row[] = [
  { name: 'Playwarden', id: 'agent', start: 'detect.latency', idle: 'detect.idle.proc-events' },
  {
    name: 'bare floor (no log, no supervisor)',
    id: 'floor',
    start: 'detect.latency.floor',
    idle: 'peers.idle.floor',
  },
  { name: 'ps-list every 1 s', id: 'ps-list', start: 'peers.latency.ps-list', idle: 'peers.idle.ps-list' },
  { name: 'psutil every 2 s', id: 'psutil', start: 'peers.latency.psutil', idle: 'peers.idle.psutil' },
];

/** Heading → the id of a row's figure. */
const COLUMNS: Readonly<Record<string, (row: Row) => string>> = {
  'start told, p50': ({ start }) => `${start}.start.p50`,
  p99: ({ start }) => `${start}.start.p99`,
  'CPU idle': ({ idle }) => `${idle}.cpu`,
  'CPU in a fork storm': ({ id }) => `peers.storm.${id}.cpu`,
  'resident memory': ({ idle }) => `${idle}.rss`,
  'of 200 games of 5 ms seen': ({ id }) => `peers.latency.${id}.short-lived`,
  'events lost over 20 kill -9': ({ id }) => `peers.killed.${id}.lost`,
};

export function peersTable(measures: readonly Measure[]): string {
  const known = new Map(measures.map((m) => [m.id, m]));
  const cell = (id: string): string => {
    const measure = known.get(id);
    return measure?.value == null ? (measure?.note ?? '–') : figure(measure.value, measure.unit);
  };
  const rows = ROWS.map((row) => [row.name, ...Object.values(COLUMNS).map((id) => cell(id(row)))]);
  const head = ['', ...Object.keys(COLUMNS)];
  return [head, head.map((_, i) => (i === 0 ? '---' : '--:')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}
