/** What a message and a call of the actor toolkit cost, against a bare thread and bare comlink, by turns. */
import { Worker } from 'node:worker_threads';
import type { Endpoint } from 'comlink';
import { wrap } from 'comlink/dist/esm/comlink.mjs';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { systemClock } from '../../src/runtime/clock.ts';
import { spawnActor } from '../../src/runtime/handle.ts';
import type { Bench, Case } from '../harness/bench.ts';
import { atMost } from '../report/measure.ts';
import { summarize } from '../report/samples.ts';
import type { EchoCalls } from './echo-actor.worker.ts';

/** There and back once. */
type RoundTrip = (value: number) => Promise<unknown>;

const file = (name: string) => new URL(`./${name}.worker.js`, import.meta.url);
const FACTOR = 1.5;

async function ourActor(bench: Bench): Promise<{ readonly message: RoundTrip; readonly call: RoundTrip }> {
  let heard: (value: number) => void = () => {};
  const actor = spawnActor<null, number, number, EchoCalls>({
    id: 'echo',
    file: file('echo-actor'),
    init: null,
    incarnation: 1,
    readyTimeoutMs: 10_000,
    clock: systemClock,
    onMessage: (value) => heard(value),
  });
  bench.owns(actor, (a) => a.stop(1_000));
  await actor.ready;
  return {
    message: (value) =>
      new Promise((resolve) => {
        heard = resolve;
        actor.handle.post(value);
      }),
    call: (value) => actor.handle.call('echo', [value]),
  };
}

function bareThread(bench: Bench): RoundTrip {
  const worker = bench.owns(new Worker(file('echo-bare')), (w) => w.terminate());
  let heard: (value: unknown) => void = () => {};
  worker.on('message', (value) => heard(value));
  return (value) =>
    new Promise((resolve) => {
      heard = resolve;
      worker.postMessage(value);
    });
}

function bareComlink(bench: Bench): RoundTrip {
  const worker = bench.owns(new Worker(file('echo-comlink')), (w) => w.terminate());
  const remote = wrap<{ echo(value: number): number }>(nodeEndpoint(worker) as Endpoint);
  return (value) => remote.echo(value);
}

export const hop: Case = {
  name: 'hop',
  deadlineMs: 60_000,
  async run(bench) {
    const actor = await ourActor(bench);
    const trips: readonly (readonly [name: string, trip: RoundTrip])[] = [
      ['message', actor.message],
      ['bare-message', bareThread(bench)],
      ['call', actor.call],
      ['bare-call', bareComlink(bench)],
    ];
    const samples = new Map<string, number[]>(trips.map(([name]) => [name, []]));
    const rounds = bench.amount(20, 4);
    for (let round = 0; round < rounds; round++) {
      for (const [name, trip] of trips) {
        // The first rounds warm up.
        const keep = round >= rounds / 4 ? samples.get(name) : undefined;
        for (let i = 0; i < bench.amount(500, 100); i++) {
          const begun = performance.now();
          await trip(i);
          keep?.push((performance.now() - begun) * 1_000);
        }
      }
    }
    const p50 = (name: string) => summarize(samples.get(name) ?? []).p50;
    const words = {
      message: 'message there and back, actor',
      'bare-message': 'message there and back, bare postMessage',
      call: 'call, actor',
      'bare-call': 'call, bare comlink',
    };
    for (const [name, what] of Object.entries(words)) {
      const summary = summarize(samples.get(name) ?? []);
      bench.record(`${name}.p50`, `${what}, p50`, summary.p50, 'µs', { summary });
      bench.record(`${name}.p99`, `${what}, p99`, summary.p99, 'µs');
    }
    const goal = atMost(FACTOR);
    bench.record('message.ratio', 'message: actor / bare, p50', p50('message') / p50('bare-message'), '×', {
      goal,
    });
    bench.record('call.ratio', 'call: actor / bare comlink, p50', p50('call') / p50('bare-call'), '×', {
      goal,
    });
  },
};
