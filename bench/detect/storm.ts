/** Where programs of this kind lose games: among thousands of other programs, and when a game lives 5 ms. */

import { benchAgent } from '../harness/agent.ts';
import { type Case, pause, until } from '../harness/bench.ts';
import { connectSocket } from '../harness/clients.ts';
import { gameProgram, launch, otherProgram } from '../harness/native.ts';
import { meter } from '../harness/proc-cost.ts';
import { KernelStamps, type StampsByPid } from '../harness/stamps.ts';
import type { Notice } from '../peers/candidates.ts';
import { agentCandidate } from '../peers/candidates.ts';
import { playRound } from '../peers/rounds.ts';
import { atMost, exactly } from '../report/measure.ts';
import { summarize } from '../report/samples.ts';

const EXECS_PER_SECOND = 2_000;
const LAUNCHERS = 2;

export const storm: Case = {
  name: 'storm',
  deadlineMs: 80_000,
  async run(bench) {
    const seconds = bench.amount(30, 2);
    const games = bench.amount(50, 5);
    const { name, file } = gameProgram();
    const stamps = bench.owns(new KernelStamps(), (s) => s.close());
    const agent = await benchAgent(bench, { game: name, source: 'proc-events' });
    const notices: Notice[] = [];
    const client = await connectSocket(agent, { clientId: 'bench' }, (event, atMs) => {
      if (event.type !== 'roblox_event') return;
      const kind = event.event_type === 'roblox_started' ? 'start' : 'stop';
      notices.push({ kind, pid: event.data.process_info.pid, atMs });
    });
    bench.owns(client, (c) => c.close());
    await pause(500);
    stamps.drain();

    const stop = meter(agent.pid);
    const storms = Array.from({ length: LAUNCHERS }, () => {
      const perLauncher = EXECS_PER_SECOND / LAUNCHERS;
      const pace = {
        count: seconds * perLauncher,
        intervalMs: 1_000 / perLauncher,
        limitMs: seconds * 1_000,
      };
      return bench.owns(launch({ file: otherProgram(), ...pace, lifeMs: 0 }), (l) => l.child.end());
    });
    const intervalMs = (seconds * 1_000) / games;
    const played = bench.owns(launch({ file, count: games, intervalMs, lifeMs: 100 }), (l) => l.child.end());
    const drain = setInterval(() => stamps.drain(), 50);
    bench.owns(drain, clearInterval);
    const [{ began }, ...stormed] = await Promise.all([played.done, ...storms.map((s) => s.done)]);
    const cost = stop();
    await until(() => notices.length >= 2 * games, 5_000, 'all notices').catch(() => {});
    stamps.drain();

    const rate = stormed.reduce((sum, { started, tookMs }) => sum + started / (tookMs / 1_000), 0);
    const of = (kind: Notice['kind']) => notices.filter((n) => n.kind === kind && began.has(n.pid));
    const distinct = (kind: Notice['kind']) => new Set(of(kind).map((n) => n.pid)).size;
    const delay = (kind: Notice['kind'], stamp: StampsByPid) =>
      of(kind)
        .map(({ pid, atMs }) => atMs - (stamp.before(pid, atMs) ?? Number.NaN))
        .filter((ms) => !Number.isNaN(ms));
    const lost = stamps.lost > 0 ? `; the bench's own stamps overflowed ${stamps.lost} times` : '';
    const note = `asked for ${EXECS_PER_SECOND}/s${lost}`;
    bench.record('rate', `fork storm of ${seconds} s: execs by others`, rate, '/s', { note });
    bench.record('starts', `storm: starts told of ${games}`, distinct('start'), '', { goal: exactly(games) });
    bench.record('stops', `storm: stops told of ${games}`, distinct('stop'), '', { goal: exactly(games) });
    const twice = of('start').length + of('stop').length - distinct('start') - distinct('stop');
    bench.record('twice', 'storm: told twice', twice, '', { goal: exactly(0) });
    const goals = { p99: atMost(20) };
    bench.latency('start', 'storm: exec stamp → client', delay('start', stamps.exec), 'ms', goals);
    bench.latency('stop', 'storm: exit stamp → client', delay('stop', stamps.exit), 'ms', goals);
    bench.record('cpu', 'storm: CPU of the agent, of a core', cost.cpuPercent, '%');
    const perExec = (cost.cpuPercent / 100 / rate) * 1e6;
    bench.record('cpu-per-exec', 'storm: CPU of the agent for each process of others', perExec, 'µs');
  },
};

export const shortLived: Case = {
  name: 'short-lived',
  deadlineMs: 60_000,
  async run(bench) {
    const games = bench.amount(200, 10);
    const played = await playRound(agentCandidate('proc-events'), { games, intervalMs: 25, lifeMs: 5 });
    const distinct = (kind: Notice['kind']) =>
      new Set(played.notices.filter((n) => n.kind === kind).map((n) => n.pid)).size;
    bench.record('starts', `games of 5 ms: starts told of ${games}`, distinct('start'), '', {
      goal: exactly(games),
    });
    bench.record('stops', `games of 5 ms: stops told of ${games}`, distinct('stop'), '', {
      goal: exactly(games),
    });
    bench.record('twice', 'games of 5 ms: told twice', played.doubled, '', { goal: exactly(0) });
    bench.record('start.p50', 'games of 5 ms: exec stamp → client, p50', summarize(played.start).p50, 'ms');
  },
};
