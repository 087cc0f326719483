/** From the kernel's stamp to the client's handler: the agent against the floor, then by source, transport and crowd. */
import type { Bench, Case } from '../harness/bench.ts';
import { crowd } from '../harness/native.ts';
import { atMost } from '../report/measure.ts';
import { summarize } from '../report/samples.ts';
import {
  agentCandidate,
  bareFloor,
  type Candidate,
  psListAgent,
  psutilAgent,
  type Source,
  type Transport,
} from './candidates.ts';
import { type Latencies, type Play, playByTurns, playRound } from './rounds.ts';

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
    const results = await playByTurns([agent, bareFloor], play, bench.amount(4, 1));
    const [ours, floor] = [results.get(agent), results.get(bareFloor)];
    if (!ours || !floor) throw new Error('no round was played');

    const goals = { p50: atMost(1), p99: atMost(4) };
    const start = bench.latency('start', 'proc-events: exec stamp → client', ours.start, 'ms', goals);
    bench.latency('start-from-main', "proc-events: game's main() → client", ours.startFromMain, 'ms');
    const stop = bench.latency('stop', 'proc-events: exit stamp → client', ours.stop, 'ms', goals);
    const bareStart = bench.latency('floor.start', 'bare floor: exec stamp → client', floor.start, 'ms');
    const bareStop = bench.latency('floor.stop', 'bare floor: exit stamp → client', floor.stop, 'ms');
    const within = { goal: atMost(FLOOR_FACTOR) };
    bench.record('start.ratio', 'start: agent / floor, p50', start.p50 / bareStart.p50, '×', within);
    bench.record('stop.ratio', 'stop: agent / floor, p50', stop.p50 / bareStop.p50, '×', within);
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
          ? { games: bench.amount(30, 3), intervalMs: 233, lifeMs: 2_500, patienceMs: 6_000 }
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

/** What people use instead, the same games against each. */
export const peers: Case = {
  name: 'peers',
  deadlineMs: 90_000,
  async run(bench) {
    bench.owns(await crowd(bench.amount(CROWD, 20)), (c) => c.end());
    for (const peer of [psListAgent, psutilAgent]) {
      const id = peer.name.split(' ')[0] ?? peer.name;
      const absent = peer.missing();
      if (absent) {
        bench.record(`${id}.start.p50`, `${peer.name}: exec stamp → client`, null, 'ms', { note: absent });
        continue;
      }
      await lasting(bench, peer, id);
      await brief(bench, peer, id);
    }
  },
};

async function lasting(bench: Bench, peer: Candidate, id: string): Promise<void> {
  const play = { games: bench.amount(40, 2), intervalMs: 233, lifeMs: 4_500, patienceMs: 6_000 };
  const { start } = await playRound(peer, play);
  const summary = summarize(start);
  bench.record(`${id}.start.p50`, `${peer.name}: exec stamp → client, p50`, summary.p50, 'ms', { summary });
  bench.record(`${id}.start.p99`, `${peer.name}: exec stamp → client, p99`, summary.p99, 'ms');
}

async function brief(bench: Bench, peer: Candidate, id: string): Promise<void> {
  const games = bench.amount(200, 10);
  const { start } = await playRound(peer, { games, intervalMs: 25, lifeMs: 5, patienceMs: 3_000 });
  bench.record(`${id}.short-lived`, `${peer.name}: games of 5 ms seen of ${games}`, start.length, '');
}
