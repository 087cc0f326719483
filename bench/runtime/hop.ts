/** What a message and a call of the actor toolkit cost, against a bare thread and bare comlink, by turns. */
import { Worker } from 'node:worker_threads';
import type { Endpoint } from 'comlink';
import { wrap } from 'comlink/dist/esm/comlink.mjs';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { systemClock } from '../../src/runtime/clock.ts';
import { spawnActor } from '../../src/runtime/handle.ts';
import { type Bench, type Case, pause } from '../harness/bench.ts';
import { atMost } from '../report/measure.ts';
import { median, summarize } from '../report/samples.ts';
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

type Trips = readonly (readonly [name: string, what: string, trip: RoundTrip])[];

type Rounds = readonly ReadonlyMap<string, readonly number[]>[];

/** There and back, one after another by turns, with a pause before each; µs by name, of each round. */
async function byTurns(trips: Trips, rounds: number, perRound: number, pauseMs: number): Promise<Rounds> {
  const kept: Map<string, number[]>[] = [];
  for (let round = 0; round < rounds; round++) {
    const samples = new Map<string, number[]>();
    for (const [name, , trip] of trips) {
      const us: number[] = [];
      for (let i = 0; i < perRound; i++) {
        if (pauseMs > 0) await pause(pauseMs);
        const begun = performance.now();
        await trip(i);
        us.push((performance.now() - begun) * 1_000);
      }
      samples.set(name, us);
    }
    // The first rounds warm up.
    if (round >= rounds / 4) kept.push(samples);
  }
  return kept;
}

/** How many times as long one takes as another, by their medians: of each round, since neighbours share the machine's pace. */
function ratio(rounds: Rounds, name: string, other: string): number {
  const p50 = (samples: ReadonlyMap<string, readonly number[]>, of: string) => median(samples.get(of) ?? []);
  return median(rounds.map((samples) => p50(samples, name) / p50(samples, other)));
}

export const hop: Case = {
  name: 'hop',
  deadlineMs: 60_000,
  async run(bench) {
    const actor = await ourActor(bench);
    const trips: Trips = [
      ['message', 'message, actor', actor.message],
      ['bare-message', 'message, bare postMessage', bareThread(bench)],
      ['call', 'call, actor', actor.call],
      ['bare-call', 'call, bare comlink', bareComlink(bench)],
    ];
    // Of what follows at once a thread is still awake or just asleep: which of the two decides more than anything
    // else. The goal is for messages as they come in the agent, to threads that sleep.
    const settings = [
      { id: 'sleeping', when: 'there and back, 2 ms apart', goal: atMost(FACTOR), perRound: 10, pauseMs: 2 },
      { id: 'awake', when: 'there and back at once again', goal: undefined, perRound: 500, pauseMs: 0 },
    ];
    for (const { id, when, goal, perRound, pauseMs } of settings) {
      const rounds = await byTurns(trips, bench.amount(40, 4), perRound, pauseMs);
      for (const [name, what] of trips) {
        const summary = summarize(rounds.flatMap((samples) => samples.get(name) ?? []));
        bench.record(`${id}.${name}.p50`, `${what}, ${when}, p50`, summary.p50, 'µs', { summary });
        bench.record(`${id}.${name}.p99`, `${what}, ${when}, p99`, summary.p99, 'µs');
      }
      for (const name of ['message', 'call']) {
        const times = ratio(rounds, name, `bare-${name}`);
        bench.record(`${id}.${name}.ratio`, `${name}: actor / bare, ${when}, p50`, times, '×', { goal });
      }
    }
  },
};
