/** From the kernel's stamp to the client's handler: the agent against the floor, then by source, transport and crowd. */
import type { Bench, Case } from '../harness/bench.ts';
import { crowd } from '../harness/native.ts';
import { agentCandidate, bareFloor, type Source, type Transport } from '../peers/candidates.ts';
import { joined, type Latencies, type Play, playByTurns, playRound } from '../peers/rounds.ts';
import { atMost } from '../report/measure.ts';
import { median, summarize } from '../report/samples.ts';

const CROWD = 300;
const FLOOR_FACTOR = 1.5;

/** Starts and stops that follow one another. */
const BRIEF: Play = { games: 50, intervalMs: 50, lifeMs: 20 };
/** Games that a source which polls can see; several at once. */
const LASTING: Play = { games: 50, intervalMs: 63, lifeMs: 300 };

export const againstTheFloor: Case = {
  name: 'latency',
  deadlineMs: 90_000,
  async run(bench) {
    bench.owns(await crowd(bench.amount(CROWD, 20)), (c) => c.end());
    const agent = agentCandidate('proc-events');
    const play = { ...BRIEF, games: bench.amount(50, 10) };
    const rounds = await playByTurns([agent, bareFloor], play, bench.amount(4, 1));
    const ours = joined(rounds.map(([a]) => a));
    const floor = joined(rounds.map(([, b]) => b));

    const goals = { p50: atMost(1), p99: atMost(4) };
    bench.latency('start', 'proc-events: exec stamp → client', ours.start, 'ms', goals);
    bench.latency('start-from-main', "proc-events: game's main() → client", ours.startFromMain, 'ms');
    bench.latency('stop', 'proc-events: exit stamp → client', ours.stop, 'ms', goals);
    bench.latency('floor.start', 'bare floor: exec stamp → client', floor.start, 'ms');
    bench.latency('floor.stop', 'bare floor: exit stamp → client', floor.stop, 'ms');
    for (const kind of ['start', 'stop'] as const) {
      // Neighbouring rounds are compared: what the machine did in between falls out.
      const ratios = rounds.map(([a, b]) => summarize(a[kind]).p50 / summarize(b[kind]).p50);
      const more = { goal: atMost(FLOOR_FACTOR), note: `of ${ratios.map((r) => r.toFixed(2)).join(', ')}` };
      bench.record(`${kind}.ratio`, `${kind}: agent / floor, p50`, median(ratios), '×', more);
    }
    floorBreakdown(bench, floor);
  },
};

/** Where the floor's time goes: the reader's stamps are in its messages. */
function floorBreakdown(bench: Bench, { notices }: Latencies): void {
  const between = (from: 'readMs' | 'heardMs', to: 'heardMs' | 'atMs') =>
    summarize(notices.flatMap((n) => [(n[to] ?? Number.NaN) - (n[from] ?? Number.NaN)])).p50;
  bench.record(
    'floor.hop',
    'bare floor: worker has it → main has it, p50',
    between('readMs', 'heardMs'),
    'ms',
  );
  bench.record('floor.socket', 'bare floor: main has it → client, p50', between('heardMs', 'atMs'), 'ms');
}

export const procfs: Case = {
  name: 'latency-procfs',
  deadlineMs: 60_000,
  async run(bench) {
    bench.owns(await crowd(bench.amount(CROWD, 20)), (c) => c.end());
    const played = await playRound(agentCandidate('procfs'), { ...LASTING, games: bench.amount(200, 10) });
    const goals = { p50: atMost(40), p99: atMost(90) };
    bench.latency('start', 'procfs at 50 ms: exec stamp → client', played.start, 'ms', goals);
    bench.latency('stop', 'procfs at 50 ms: exit stamp → client', played.stop, 'ms', goals);
  },
};

interface Setting {
  readonly source: Source;
  readonly transport: Transport;
  readonly crowd: number;
  readonly busy: boolean;
}

const quiet = { crowd: CROWD, busy: false };
const SETTINGS: readonly Setting[] = [
  { source: 'proc-events', transport: 'websocket', crowd: 100, busy: false },
  { source: 'proc-events', transport: 'websocket', crowd: 1_000, busy: false },
  { source: 'proc-events', transport: 'websocket', crowd: CROWD, busy: true },
  { source: 'proc-events', transport: 'long poll', ...quiet },
  { source: 'proc-events', transport: '2 s poll', ...quiet },
  { source: 'procfs', transport: 'websocket', crowd: 1_000, busy: false },
  { source: 'procfs', transport: 'websocket', crowd: CROWD, busy: true },
  { source: 'ps-list', transport: 'websocket', ...quiet },
];

export const settings: Case = {
  name: 'settings',
  deadlineMs: 150_000,
  async run(bench) {
    const chosen = bench.smoke ? SETTINGS.slice(3, 4) : SETTINGS;
    for (const { source, transport, crowd: count, busy } of chosen) {
      const around = await crowd(count);
      const load = busy ? await crowd(2, 'busy') : null;
      try {
        const slow = source === 'ps-list' || transport === '2 s poll';
        const play: Play = slow
          ? { games: bench.amount(20, 3), intervalMs: 137, lifeMs: 2_500, patienceMs: 6_000 }
          : { ...LASTING, games: bench.amount(50, 10) };
        const { start } = await playRound(agentCandidate(source, transport), play);
        const what = `${source}, ${transport}, ${count} processes, ${busy ? 'cores busy' : 'quiet'}`;
        const id = `${source}.${transport}.${count}.${busy ? 'busy' : 'quiet'}`.replaceAll(' ', '-');
        const summary = summarize(start);
        bench.record(`${id}.p50`, `start: ${what}, p50`, summary.p50, 'ms', { summary });
        bench.record(`${id}.p99`, `start: ${what}, p99`, summary.p99, 'ms');
      } finally {
        await load?.end();
        await around.end();
      }
    }
  },
};
