/** Events appended one by one and delivered to a client as they come: how late, whether whole, beside a stalled reader. */
import type { DeliveredEvent } from '../../src/protocol/events.ts';
import { type Bench, type Case, pause, until } from '../harness/bench.ts';
import { connectSocket } from '../harness/clients.ts';
import { rssMb } from '../harness/proc-cost.ts';
import { atMost, exactly } from '../report/measure.ts';
import { median, type Summary, summarize } from '../report/samples.ts';
import type { Pace, Paced } from './host.ts';
import { type DeliveryHost, dataFolder, serve } from './hosts.ts';

const PATIENCE_MS = 5_000;
/** One turn with or without a stalled reader. */
const TURN_SECONDS = 3;

interface Streamed extends Paced {
  /** Append → client's handler, ms. */
  readonly latencyMs: readonly number[];
  /** Holes and repetitions in the offsets. */
  readonly faults: number;
}

/** A client that lives through several rounds. */
async function listener(bench: Bench, host: DeliveryHost): Promise<(pace: Pace) => Promise<Streamed>> {
  let latencyMs: number[] = [];
  let faults = 0;
  let last = 0;
  const onEvent = (event: DeliveredEvent, atMs: number) => {
    if (last !== 0 && event.meta.offset !== last + 1) faults += 1;
    last = event.meta.offset;
    const made = event.type === 'agent_event' ? event.data.made_ms : undefined;
    if (typeof made === 'number') latencyMs.push(atMs - made);
  };
  bench.owns(await connectSocket(host, { clientId: 'listener' }, onEvent), (c) => c.close());
  return async (pace) => {
    latencyMs = [];
    faults = 0;
    const paced = await host.append(pace);
    await until(() => latencyMs.length >= paced.count, PATIENCE_MS, 'all events').catch(() => {});
    return { ...paced, latencyMs, faults: faults + paced.count - latencyMs.length };
  };
}

export const stream: Case = {
  name: 'stream',
  deadlineMs: 60_000,
  async run(bench) {
    const host = await serve(bench, dataFolder());
    const play = await listener(bench, host);
    // As it is with games: a few a second, so that nothing is in the caches.
    const rare = await play({ perSecond: 20, seconds: bench.amount(8, 1) });
    bench.latency('rare.append', 'one append, 20 a second', rare.appendUs, 'µs');
    bench.latency('rare.latency', 'append → client, 20 a second', rare.latencyMs, 'ms');
    await play({ perSecond: 1_000, seconds: bench.amount(2, 1) });
    const perSecond = bench.amount(10_000, 2_000);
    const begun = performance.now();
    const { latencyMs, appendUs, count, faults } = await play({ perSecond, seconds: bench.amount(10, 1) });
    const reached = count / ((performance.now() - begun) / 1_000);
    bench.record('rate', `asked for ${perSecond} events/s: reached`, reached, '/s');
    bench.latency('latency', 'append → client', latencyMs, 'ms', { p99: atMost(5) });
    bench.record('faults', 'lost, twice or out of order', faults, '', { goal: exactly(0) });
    bench.latency('append', 'one append', appendUs, 'µs', { p50: atMost(60) });
  },
};

/** Turns without and with a reader that has stopped reading; the p99 of each is taken by itself. */
export const stalled: Case = {
  name: 'stalled',
  deadlineMs: 130_000,
  async run(bench) {
    const host = await serve(bench, dataFolder());
    const play = await listener(bench, host);
    const perSecond = 2_000;
    let rss: number[] = [];
    const watch = setInterval(() => rss.push(rssMb(host.pid)), 100);
    bench.owns(watch, clearInterval);
    // Until the heap has found its size: with nobody stalled it grows for some 20 s of such a stream.
    await play({ perSecond, seconds: bench.amount(20, 1) });
    rss = [];
    // The heap saws up and down by 10 MB: what is held shows at its lowest.
    const lowestMb: number[] = [];
    const alone: Summary[] = [];
    const beside: Summary[] = [];
    let faults = 0;
    const turn = async (seconds: number, into: Summary[]) => {
      const played = await play({ perSecond, seconds });
      faults += played.faults;
      into.push(summarize(played.latencyMs));
    };
    for (let i = 0; i < bench.amount(3, 1); i++) {
      await turn(bench.amount(TURN_SECONDS, 1), alone);
      const reader = await connectSocket(host, { clientId: 'stalled', resume: 'now' }, () => {});
      bench.owns(reader, (c) => c.close());
      reader.socket.pause();
      // As long as the turn beside it, three times: a p99 of as many events each.
      for (let part = 0; part < bench.amount(3, 1); part++) await turn(bench.amount(TURN_SECONDS, 1), beside);
      reader.close();
      lowestMb.push(Math.min(...rss));
      rss = [];
      await pause(200);
    }
    const of = (turns: readonly Summary[], figure: 'p50' | 'p99') =>
      median(turns.map((turn) => turn[figure]));
    const [aloneP99, besideP99] = [of(alone, 'p99'), of(beside, 'p99')];
    bench.record('alone.p99', `${perSecond} events/s: append → client, p99`, aloneP99, 'ms');
    const seconds = beside.length * bench.amount(TURN_SECONDS, 1);
    const what = `beside a reader that has stalled, ${seconds} s in all: append → client, p99`;
    bench.record('beside.p99', what, besideP99, 'ms');
    const note = `medians of turns of ${TURN_SECONDS} s`;
    bench.record('ratio', 'beside / alone, p99', besideP99 / aloneP99, '×', { goal: atMost(1.2), note });
    bench.record('p50.ratio', 'beside / alone, p50', of(beside, 'p50') / of(alone, 'p50'), '×');
    bench.record('faults', 'lost, twice or out of order', faults, '', { goal: exactly(0) });
    const growth = (lowestMb.at(-1) ?? Number.NaN) - (lowestMb[0] ?? Number.NaN);
    bench.record(
      'growth',
      'resident memory at its lowest, from the first stalled reader to the last',
      growth,
      'MB',
      {
        goal: atMost(10),
        note: `${lowestMb.map((mb) => mb.toFixed(0)).join(', ')} MB; "flat" is taken as at most 10 MB`,
      },
    );
  },
};
