/** A long log: how fast it is replayed, what it costs at the start, and how append and read grow with it. */
import { benchAgent } from '../harness/agent.ts';
import { type Case, pause, until } from '../harness/bench.ts';
import { connectSocket } from '../harness/clients.ts';
import { gameProgram } from '../harness/native.ts';
import { rssMb } from '../harness/proc-cost.ts';
import { atLeast, atMost, exactly } from '../report/measure.ts';
import { exponent, summarize } from '../report/samples.ts';
import { dataFolder, fill, probe } from './hosts.ts';

const BACKLOG = 100_000;

export const replay: Case = {
  name: 'replay',
  deadlineMs: 60_000,
  async run(bench) {
    const count = bench.amount(BACKLOG, 2_000);
    const dataDir = dataFolder();
    await fill(bench, dataDir, count);
    const agent = await benchAgent(bench, { game: gameProgram().name, source: 'proc-events', dataDir });
    await pause(bench.amount(3_000, 300));
    const before = rssMb(agent.pid);
    let [got, faults, last, peak] = [0, 0, 0, before];
    const watch = setInterval(() => {
      peak = Math.max(peak, rssMb(agent.pid));
    }, 10);
    bench.owns(watch, clearInterval);
    const begun = performance.now();
    const client = await connectSocket(agent, { clientId: 'replay' }, ({ meta }) => {
      if (last !== 0 && meta.offset !== last + 1) faults += 1;
      last = meta.offset;
      got += 1;
    });
    bench.owns(client, (c) => c.close());
    await until(() => got >= count, 30_000, `${count} events`);
    const seconds = (performance.now() - begun) / 1_000;
    bench.record('rate', `replay of ${count} events by the agent`, got / seconds, '/s', {
      goal: atLeast(20_000),
    });
    bench.record('faults', 'lost, twice or out of order', faults, '', { goal: exactly(0) });
    bench.record('growth', 'resident memory during the replay, growth', peak - before, 'MB', {
      goal: atMost(50),
      note: `${before.toFixed(0)} MB before, ${peak.toFixed(0)} MB at most`,
    });
  },
};

export const start: Case = {
  name: 'start',
  deadlineMs: 60_000,
  async run(bench) {
    const count = bench.amount(BACKLOG, 2_000);
    for (const events of [0, count]) {
      const dataDir = dataFolder();
      if (events > 0) await fill(bench, dataDir, events);
      const { agent } = await benchAgent(bench, { game: gameProgram().name, source: 'proc-events', dataDir });
      const clean: number[] = [];
      const killed: number[] = [];
      for (let i = 0; i < bench.amount(7, 1); i++) {
        await agent.stop();
        clean.push(await timed(() => agent.start()));
        await agent.kill();
        killed.push(await timed(() => agent.start()));
      }
      await agent.stop();
      const goals = events === 0 ? {} : { goal: atMost(500) };
      bench.record(
        `${events}.clean`,
        `start with ${events} events → ready line, p50`,
        summarize(clean).p50,
        'ms',
        {
          ...goals,
          note: `max ${summarize(clean).max.toFixed(0)} ms of ${clean.length}`,
        },
      );
      bench.record(`${events}.killed`, `the same after kill -9, p50`, summarize(killed).p50, 'ms', {
        goal: atMost(1_000),
        note: `max ${summarize(killed).max.toFixed(0)} ms of ${killed.length}`,
      });
    }
  },
};

async function timed(run: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await run();
  return performance.now() - begun;
}

export const growth: Case = {
  name: 'growth',
  deadlineMs: 90_000,
  async run(bench) {
    const appends: [number, number][] = [];
    const pages: [number, number][] = [];
    for (const count of bench.smoke ? [100, 1_000] : [1_000, 10_000, 100_000, 1_000_000]) {
      const folder = dataFolder();
      await fill(bench, folder, count);
      const { appendUs, pageMs } = await probe(bench, folder);
      appends.push([count, appendUs]);
      pages.push([count, pageMs]);
      bench.record(`${count}.append`, `one append to a log of ${count} events, p50`, appendUs, 'µs');
      bench.record(`${count}.page`, `a page of 256 events of it, p50`, pageMs, 'ms');
    }
    bench.record('append.exponent', 'append ~ log^k: k', exponent(appends), '');
    bench.record('page.exponent', 'page ~ log^k: k', exponent(pages), '');
  },
};
