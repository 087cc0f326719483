/** Requests: how many a second over a few connections that stay open, and what a status costs by sessions kept. */
import { Agent as HttpAgent } from 'node:http';
import { dataFolder, fill } from '../delivery/hosts.ts';
import { benchAgent } from '../harness/agent.ts';
import type { Case, Group } from '../harness/bench.ts';
import { get, type Server } from '../harness/clients.ts';
import { gameProgram } from '../harness/native.ts';
import { exponent, summarize } from '../report/samples.ts';

const CONNECTIONS = 8;

const requests: Case = {
  name: 'requests',
  deadlineMs: 30_000,
  async run(bench) {
    const server = await benchAgent(bench, { game: gameProgram().name, source: 'proc-events' });
    for (const path of ['/health', '/desktop/status', '/desktop/events/poll']) {
      await hammer(server, path, 0.3);
      const { perSecond, samples } = await hammer(server, path, bench.amount(2, 0.5));
      const id = path.slice(1).replaceAll('/', '-');
      bench.record(`${id}.rate`, `GET ${path} over ${CONNECTIONS} connections`, perSecond, '/s');
      bench.latency(id, `GET ${path}`, samples, 'ms');
    }
  },
};

/** One request after another, nobody else asking. */
const growth: Case = {
  name: 'growth',
  deadlineMs: 60_000,
  async run(bench) {
    const points: [number, number][] = [];
    for (const count of bench.smoke ? [10, 100] : [10, 100, 1_000, 10_000]) {
      const dataDir = dataFolder();
      await fill(bench, dataDir, count, 'sessions');
      const server = await benchAgent(bench, { game: gameProgram().name, source: 'proc-events', dataDir });
      const agent = new HttpAgent({ keepAlive: true, maxSockets: 1 });
      const samples: number[] = [];
      for (let i = 0; i < bench.amount(300, 20); i++) {
        const sent = performance.now();
        await get(server, '/desktop/status', agent);
        samples.push(performance.now() - sent);
      }
      agent.destroy();
      await server.agent.stop();
      const { p50 } = summarize(samples);
      points.push([count, p50]);
      bench.record(
        `${count}.status`,
        `GET /desktop/status, ${count} unconfirmed sessions kept, p50`,
        p50,
        'ms',
      );
    }
    bench.record('status.exponent', 'status ~ sessions^k: k', exponent(points), '');
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

export const http: Group = { name: 'http', cases: [requests, growth] };
