/** The whole agent with a client that wants nothing, idle and while a game is open, beside its bare parts. */
import { IDLE_DEADLINE_MS, idleMinute } from '../cost/idle-minute.ts';
import type { Case } from '../harness/bench.ts';
import { atMost } from '../report/measure.ts';

export const whole: Case = {
  name: 'whole',
  deadlineMs: IDLE_DEADLINE_MS,
  async run(bench) {
    const { client, playing, bare } = await idleMinute(bench);
    const idle = 'agent, idle, one client';
    bench.record('cpu', `${idle}: CPU of a core`, client.cost.cpuPercent, '%', {
      goal: atMost(0.1),
      note: client.note,
    });
    bench.record('switches', `${idle}: voluntary switches`, client.cost.voluntaryPerSecond, '/s');
    bench.record('rss', `${idle}: resident memory`, client.rssMb, 'MB', { goal: atMost(85) });
    const bareNode = 'bare Node, uWebSockets.js, libsql, two empty workers, awake once a second';
    bench.record('bare.cpu', `${bareNode}: CPU of a core`, bare.cost.cpuPercent, '%', { note: bare.note });
    bench.record('bare.switches', `${bareNode}: voluntary switches`, bare.cost.voluntaryPerSecond, '/s');
    bench.record('bare.rss', `${bareNode}: resident memory`, bare.rssMb, 'MB');
    bench.record('writes', `${idle}: written to disk in an hour`, client.writtenMbPerHour, 'MB');
    const play = 'agent, a game open, one client';
    bench.record('playing.cpu', `${play}: CPU of a core`, playing.cost.cpuPercent, '%', {
      note: playing.note,
    });
    bench.record('playing.switches', `${play}: voluntary switches`, playing.cost.voluntaryPerSecond, '/s');
    bench.record('playing.writes', `${play}: written to disk in an hour`, playing.writtenMbPerHour, 'MB');
  },
};
