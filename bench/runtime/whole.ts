/** The whole agent with a client that wants nothing: CPU, wake-ups, memory and disk writes, beside its bare parts. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { benchAgent } from '../harness/agent.ts';
import { type Case, pause } from '../harness/bench.ts';
import { start } from '../harness/children.ts';
import { connectSocket } from '../harness/clients.ts';
import { gameProgram } from '../harness/native.ts';
import { byThread, idleCosts, quietness, rssMb } from '../harness/proc-cost.ts';
import { atMost } from '../report/measure.ts';

const BARE = fileURLToPath(new URL('./bare-node.js', import.meta.url));

export const whole: Case = {
  name: 'whole',
  deadlineMs: 90_000,
  async run(bench) {
    const bare = bench.owns(start(process.execPath, [BARE]), (c) => c.end());
    await bare.line();
    const agent = await benchAgent(bench, { game: gameProgram().name, source: 'proc-events' });
    const client = await connectSocket(agent, { clientId: 'bench' }, () => {});
    bench.owns(client, (c) => c.close());
    await pause(bench.amount(6_000, 500));
    const written = writtenBytes(agent.pid);
    const seconds = bench.amount(30, 1);
    const [cost] = await idleCosts([agent.pid], seconds);
    if (!cost) return;
    const perHour = ((writtenBytes(agent.pid) - written) / 2 ** 20) * (3_600 / seconds);
    const note = `${byThread(agent.pid, cost)}; ${quietness(cost)}`;
    bench.record('cpu', 'agent, idle, one client: CPU of a core', cost.cpuPercent, '%', {
      goal: atMost(0.1),
      note,
    });
    bench.record('switches', 'agent, idle, one client: voluntary switches', cost.voluntaryPerSecond, '/s');
    bench.record('rss', 'agent, idle, one client: resident memory', rssMb(agent.pid), 'MB', {
      goal: atMost(85),
    });
    bench.record('bare.rss', 'bare Node, uWebSockets.js, libsql, two empty workers', rssMb(bare.pid), 'MB');
    bench.record('writes', 'agent, idle: written to disk in an hour', perHour, 'MB');
  },
};

function writtenBytes(pid: number): number {
  return Number(/^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))?.[1] ?? 0);
}
