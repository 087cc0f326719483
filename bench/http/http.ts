/** Requests a second over a few connections that stay open: a number for sanity, bounded by the client beside it. */
import { Agent as HttpAgent } from 'node:http';
import { benchAgent } from '../harness/agent.ts';
import type { Case, Group } from '../harness/bench.ts';
import { get, type Server } from '../harness/clients.ts';
import { gameProgram } from '../harness/native.ts';

const CONNECTIONS = 8;

const requests: Case = {
  name: 'requests',
  deadlineMs: 30_000,
  async run(bench) {
    const server = await benchAgent(bench, { game: gameProgram().name, source: 'proc-events' });
    for (const path of ['/health', '/desktop/status', '/desktop/events/poll']) {
      await hammer(server, path, 0.3);
      const { perSecond, samples } = await hammer(server, path, bench.amount(3, 0.5));
      const id = path.slice(1).replaceAll('/', '-');
      bench.record(`${id}.rate`, `GET ${path} over ${CONNECTIONS} connections`, perSecond, '/s');
      bench.latency(id, `GET ${path}`, samples, 'ms');
    }
  },
};

async function hammer(server: Server, path: string, seconds: number) {
  const agent = new HttpAgent({ keepAlive: true, maxSockets: CONNECTIONS });
  const samples: number[] = [];
  const begun = performance.now();
  const end = begun + seconds * 1_000;
  const one = async () => {
    while (performance.now() < end) {
      const sent = performance.now();
      await get(server, path, agent);
      samples.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, one));
  agent.destroy();
  return { perSecond: samples.length / ((performance.now() - begun) / 1_000), samples };
}

export const http: Group = { name: 'http', cases: [requests] };
