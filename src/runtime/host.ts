/**
 * The shell of an actor inside its thread: beats, answers calls, hands over messages, ends when asked. Used by the
 * `*.worker.ts` entries only. What an actor throws ends its thread, and main hears why; nothing is caught and
 * carried on with here, since a fresh incarnation is in a known state and this one is not.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { expose } from 'comlink/dist/esm/comlink.mjs';
import type { Actor, ActorHost, CallMap, CallResult } from './actor.ts';
import { monotonicMs, systemClock } from './clock.ts';
import { killOwnProcess, mainWatcher } from './heartbeat.ts';
import { Vitals } from './vitals.ts';
import {
  callEndpoint,
  type Dispatch,
  errorData,
  type FromThread,
  type StartData,
  type ToThread,
} from './wire.ts';

/** Runs the actor that `start` makes in this thread. Main is told `ready` when `start` has settled. */
export function runActor<Init, In, Out, Calls extends CallMap<Calls>>(
  start: (host: ActorHost<Init, Out>) => Actor<In, Calls> | Promise<Actor<In, Calls>>,
): void {
  if (!parentPort) throw new Error('an actor runs in a worker thread');
  const main = parentPort;
  const data = workerData as StartData;
  const vitals = new Vitals(data.vitals);
  const stopBeat = startBeat(vitals, data.mainBeat);
  const tell = (sent: FromThread) => main.postMessage(sent);

  const host: ActorHost<Init, Out> = {
    init: data.init as Init,
    post: (message) => tell({ message }),
    worked(nextInMs) {
      const now = monotonicMs();
      vitals.worked(now, nextInMs === undefined ? 0 : now + nextInMs);
    },
    beat: () => vitals.beat(monotonicMs()),
  };

  async function run(): Promise<void> {
    const actor = await start(host);
    const calls = callEndpoint(tell);
    expose(dispatcher(actor.calls, vitals), calls.endpoint);
    // Not before: until there is a listener, what is sent waits in the port in its order.
    main.on('message', (sent: ToThread) => {
      if ('message' in sent) {
        vitals.begin(sent.seq);
        actor.receive(sent.message as In);
        vitals.end();
        vitals.processed(sent.seq);
      } else if ('call' in sent) {
        calls.deliver(sent.call);
      } else {
        void stop(actor);
      }
    });
    tell({ control: 'ready' });
  }

  async function stop(actor: Actor<In, Calls>): Promise<void> {
    await actor.stop();
    tell({ control: 'stopped' });
    stopBeat();
    main.close();
  }

  // A rejection of either is an uncaught exception, which ends the thread and reaches main as its `error` event.
  void run();
}

/** Answers calls; what they throw is data. */
function dispatcher<Calls extends CallMap<Calls>>(calls: Calls, vitals: Vitals): Dispatch {
  return async (seq, name, args): Promise<CallResult<unknown>> => {
    try {
      if (!Object.hasOwn(calls, name)) throw new Error(`there is no call ${name}`);
      vitals.begin(seq);
      const answer = calls[name as keyof Calls](...args);
      vitals.end();
      return { ok: true, value: await answer };
    } catch (thrown) {
      vitals.end();
      return { ok: false, failure: { kind: 'threw', ...errorData(thrown) } };
    }
  };
}

function startBeat(vitals: Vitals, mainBeat: SharedArrayBuffer | null): () => void {
  const mainIsStuck = mainBeat ? mainWatcher(mainBeat, monotonicMs()) : () => false;
  vitals.beat(monotonicMs());
  return systemClock.everySecond(() => {
    const now = monotonicMs();
    vitals.beat(now);
    if (mainIsStuck(now)) killOwnProcess();
  });
}
