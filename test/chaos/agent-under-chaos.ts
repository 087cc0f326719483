/**
 * `playwarden run` as it is, in a process that takes orders from its parent: a fault for one of its threads, main's own
 * among them, or a measure of what it holds. Started by chaos-agent.ts with `--expose-gc`; its arguments are the data directory, the configuration, and the limits of its load as JSON.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { BroadcastChannel } from 'node:worker_threads';
import { LOAD_LIMITS } from '../../src/app/load-rule.ts';
import { run } from '../../src/cli/run.ts';
import { heedSignals } from '../../src/cli/signals.ts';
import { raisePriority } from '../../src/runtime/priority.ts';
import { RESTART_LIMITS } from '../../src/runtime/restart-rule.ts';
import { CHANNEL, type Committed, commit, type FaultOrder } from './faults.ts';

/** What a process holds, after its garbage was collected. */
export interface Holdings {
  readonly heapBytes: number;
  readonly rssBytes: number;
  readonly descriptors: number;
  readonly threads: number;
}

export type Order = FaultOrder | 'measure';
export type Answer = Committed | Holdings;

const answer = (what: Answer, then?: () => void) => process.send?.(what, () => then?.());

const faults = new BroadcastChannel(CHANNEL);
faults.onmessage = (event) => {
  const { data } = event as { readonly data: FaultOrder | Committed };
  if ('committed' in data) answer(data);
};
faults.unref();

/** But for the database's: its second connection is opened by the first checkpoint, whenever that comes, and kept. */
function descriptors(): number {
  const open = readdirSync('/proc/self/fd').flatMap((fd) => readlinkOrNot(`/proc/self/fd/${fd}`));
  return open.filter((target) => !/\/playwarden\.db(?:-wal|-shm)?$/.test(target)).length;
}

/** The one that lists them is gone by then. */
function readlinkOrNot(path: string): string[] {
  try {
    return [readlinkSync(path)];
  } catch {
    return [];
  }
}

function measure(): Holdings {
  for (let n = 0; n < 3; n += 1) globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  return {
    heapBytes: heapUsed,
    rssBytes: rss,
    descriptors: descriptors(),
    threads: readdirSync('/proc/self/task').length,
  };
}

process.on('message', (order: Order) => {
  if (order === 'measure') answer(measure());
  else if (order.actor === 'main') answer({ committed: order }, () => commit(order.fault));
  else faults.postMessage(order);
});
process.channel?.unref();
// A parent that was killed takes it along.
process.once('disconnect', () => process.exit());

const [dataDir = '', config = '', loadLimits = 'null'] = process.argv.slice(2);
// Every few seconds a fault is what is meant here, so no backoff grows and nothing is parked.
const restartLimits = { ...RESTART_LIMITS, maxRestarts: 1_000_000, maxDelayMs: RESTART_LIMITS.firstDelayMs };
raisePriority();
await run(
  {
    dataDir,
    config,
    port: 0,
    logLevel: 'info',
    restartLimits,
    loadLimits: JSON.parse(loadLimits) ?? LOAD_LIMITS,
  },
  heedSignals(),
);
