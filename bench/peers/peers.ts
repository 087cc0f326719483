/**
 * What people use instead, side by side: the same games, the same storm and the same kills for each. What the agent
 * and the bare floor are at their best is measured in `detect`, alone.
 */
import { type Bench, type Case, type Group, pause } from '../harness/bench.ts';
import { crowd, gameProgram, launch, otherProgram } from '../harness/native.ts';
import { rssMb, withChildren } from '../harness/proc-cost.ts';
import { exactly } from '../report/measure.ts';
import { summarize } from '../report/samples.ts';
import {
  agentCandidate,
  bareFloor,
  type Candidate,
  type Notice,
  psListAgent,
  psutilAgent,
  type Running,
} from './candidates.ts';
import { playTogether } from './rounds.ts';

const AGENT = agentCandidate('proc-events');
const CROWD = 300;

/** Those that can run here; of the others the missing package is recorded in the place of the figure. */
function present(bench: Bench, candidates: readonly Candidate[], figure: string): readonly Candidate[] {
  return candidates.filter((candidate) => {
    const absent = candidate.missing();
    if (absent) bench.record(`${candidate.id}.${figure}`, candidate.name, null, '', { note: absent });
    return absent === null;
  });
}

/** Share of a core that each used in `seconds`, its children included, %. */
async function cpuPercents(
  running: readonly Running[],
  during: Promise<unknown>,
): Promise<readonly number[]> {
  const before = running.map(({ pid }) => withChildren(pid));
  const begun = performance.now();
  await during;
  const seconds = (performance.now() - begun) / 1_000;
  return running.map(({ pid }, i) => (100 * (withChildren(pid) - (before[i] ?? 0))) / seconds);
}

/** Games that last, and games of 5 ms. */
const latency: Case = {
  name: 'latency',
  deadlineMs: 90_000,
  async run(bench) {
    bench.owns(await crowd(bench.amount(CROWD, 20)), (c) => c.end());
    const pollers = present(bench, [psListAgent, psutilAgent], 'start.p50');
    const lasting = {
      games: bench.amount(40, 1),
      intervalMs: 137,
      lifeMs: bench.amount(4_500, 2_500),
      patienceMs: bench.amount(6_000, 3_000),
    };
    for (const [i, { start }] of (await playTogether(pollers, lasting)).entries()) {
      const { id = '', name = '' } = pollers[i] ?? {};
      const summary = summarize(start);
      bench.record(`${id}.start.p50`, `${name}: exec stamp → client, p50`, summary.p50, 'ms', { summary });
      bench.record(`${id}.start.p99`, `${name}: exec stamp → client, p99`, summary.p99, 'ms');
    }
    const all = [AGENT, bareFloor, ...pollers];
    const games = bench.amount(200, 10);
    const brief = { games, intervalMs: 25, lifeMs: 5, patienceMs: bench.amount(3_000, 200) };
    for (const [i, { notices }] of (await playTogether(all, brief)).entries()) {
      const { id = '', name = '' } = all[i] ?? {};
      const seen = new Set(notices.filter((n) => n.kind === 'start').map((n) => n.pid)).size;
      bench.record(`${id}.short-lived`, `${name}: games of 5 ms seen of ${games}`, seen, '');
    }
  },
};

/** One at a time those that fork: what they start would wake the others. */
const idle: Case = {
  name: 'idle',
  deadlineMs: 60_000,
  async run(bench) {
    bench.owns(await crowd(bench.amount(CROWD, 20)), (c) => c.end());
    const others = present(bench, [bareFloor, psutilAgent], 'cpu');
    for (const candidates of [others, [psListAgent]]) {
      const running: Running[] = [];
      for (const candidate of candidates) {
        running.push(await candidate.start(bench, gameProgram().name, () => {}));
      }
      await pause(bench.amount(3_000, 500));
      const cpu = await cpuPercents(running, pause(bench.amount(10_000, 1_000)));
      for (const [i, { id, name }] of candidates.entries()) {
        const what = `${name}, idle: CPU of a core, its children included`;
        bench.record(`${id}.cpu`, what, cpu[i] ?? null, '%');
        bench.record(`${id}.rss`, `${name}, idle: resident memory`, rssMb(running[i]?.pid ?? 0), 'MB');
      }
    }
  },
};

const EXECS_PER_SECOND = 2_000;

/** All at once among the same other programs. */
const storm: Case = {
  name: 'storm',
  deadlineMs: 60_000,
  async run(bench) {
    const candidates = present(bench, [AGENT, bareFloor, psListAgent, psutilAgent], 'cpu');
    const running: Running[] = [];
    for (const candidate of candidates) {
      running.push(await candidate.start(bench, gameProgram().name, () => {}));
    }
    await pause(bench.amount(2_000, 300));
    const seconds = bench.amount(10, 1);
    const pace = {
      count: EXECS_PER_SECOND * seconds,
      intervalMs: 1_000 / EXECS_PER_SECOND,
      limitMs: seconds * 1_000,
    };
    const storming = bench.owns(launch({ file: otherProgram(), ...pace, lifeMs: 0 }), (l) => l.child.end());
    const cpu = await cpuPercents(running, storming.done);
    for (const [i, { id, name }] of candidates.entries()) {
      bench.record(`${id}.cpu`, `${name}: CPU of a core while others fork`, cpu[i] ?? null, '%');
    }
    const { started, tookMs } = await storming.done;
    const note = `asked for ${EXECS_PER_SECOND}/s`;
    bench.record('rate', 'execs by others', started / (tookMs / 1_000), '/s', { note });
  },
};

/** Longer than a poll and a restart take, so that what is lost is lost by the kill. */
const LIFE_MS = 3_500;
const BETWEEN_KILLS_MS = 2_200;
const GAME_EVERY_MS = 200;

/** All at once: the same games, each candidate killed and started again at the same moments. */
const killed: Case = {
  name: 'killed',
  deadlineMs: 120_000,
  async run(bench) {
    const candidates = present(bench, [AGENT, bareFloor, psListAgent, psutilAgent], 'lost');
    const { name: game, file } = gameProgram();
    const told = candidates.map(() => new Map<string, number>());
    const running: Running[] = [];
    for (const [i, candidate] of candidates.entries()) {
      const note = ({ kind, pid }: Notice) => {
        const key = `${kind} ${pid}`;
        told[i]?.set(key, (told[i]?.get(key) ?? 0) + 1);
      };
      running.push(await candidate.start(bench, game, note));
    }
    const kills = bench.amount(20, 1);
    const count = Math.ceil((kills * BETWEEN_KILLS_MS) / GAME_EVERY_MS);
    const played = launch({ file, count, intervalMs: GAME_EVERY_MS, lifeMs: bench.amount(LIFE_MS, 1_000) });
    bench.owns(played, (l) => l.child.end());
    // Each in a slice of its own of the time in which games are started.
    const begun = performance.now();
    for (let kill = 0; kill < kills; kill++) {
      const atMs = BETWEEN_KILLS_MS * (kill + Math.random());
      await pause(Math.max(0, begun + atMs - performance.now()));
      await Promise.all(running.map((r) => r.crash()));
    }
    const { began } = await played.done;
    await pause(bench.amount(3_000, 1_000));
    const events = [...began.keys()].flatMap((pid) => [`start ${pid}`, `stop ${pid}`]);
    for (const [i, { id, name }] of candidates.entries()) {
      const times = events.map((event) => told[i]?.get(event) ?? 0);
      const lost = times.filter((n) => n === 0).length;
      const goal = id === AGENT.id ? { goal: exactly(0) } : {};
      bench.record(
        `${id}.lost`,
        `${name}: of ${events.length} events lost over ${kills} kill -9`,
        lost,
        '',
        goal,
      );
      const twice = times.filter((n) => n > 1).length;
      bench.record(`${id}.twice`, `${name}: told more than once`, twice, '', goal);
    }
  },
};

export const peers: Group = { name: 'peers', cases: [latency, idle, storm, killed] };
