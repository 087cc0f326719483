/**
 * One quiet minute with several agents beside one another, none of which can wake another: measured once a run, told
 * by `detect.idle` (what detection costs) and by `runtime.whole` (the agent with a client, and with a game open).
 */
import { fileURLToPath } from 'node:url';
import { type BenchAgentOptions, benchAgent } from '../harness/agent.ts';
import { type Bench, pause } from '../harness/bench.ts';
import { start } from '../harness/children.ts';
import { connectSocket } from '../harness/clients.ts';
import { type IdleCost, idleCosts, quietness } from '../harness/idle.ts';
import { crowd, gameProgram } from '../harness/native.ts';
import { byThread, rssMb, writtenMb } from '../harness/proc-cost.ts';

const BARE = fileURLToPath(new URL('./bare-node.js', import.meta.url));
const CROWD = 300;
/** After the ready line an agent settles for some 17 s: code is compiled, memory collected (the last time), room on disk kept. */
const SETTLE_MS = 20_000;
const SECONDS = 60;
/** What both cases must be allowed to take, ms. */
export const IDLE_DEADLINE_MS = 120_000;

export interface Idle {
  readonly cost: IdleCost;
  /** Where the time went, and how far the number can be trusted. */
  readonly note: string;
  readonly rssMb: number;
  readonly writtenMbPerHour: number;
}

export interface IdleMinute {
  /** Nobody connected. */
  readonly events: Idle;
  readonly procfs: Idle;
  /** A client connected that wants nothing. */
  readonly client: Idle;
  /** A client connected, and a game open all the time. */
  readonly playing: Idle;
  /** Node, uWebSockets.js, libsql and two empty threads, each thread awake once a second. */
  readonly bare: Idle;
}

let minute: Promise<IdleMinute> | null = null;

export function idleMinute(bench: Bench): Promise<IdleMinute> {
  minute ??= measured(bench);
  return minute;
}

async function measured(bench: Bench): Promise<IdleMinute> {
  bench.owns(await crowd(bench.amount(CROWD, 20)), (c) => c.end());
  const bare = bench.owns(start(process.execPath, [BARE]), (c) => c.end());
  await bare.line();
  const agent = async (source: BenchAgentOptions['source'], { withClient = false, playing = false } = {}) => {
    const { name, file } = gameProgram();
    const started = await benchAgent(bench, { game: name, source });
    if (withClient) {
      const client = await connectSocket(started, { clientId: 'bench' }, () => {});
      bench.owns(client, (c) => c.close());
    }
    if (playing) bench.owns(start(file, ['3600000']), (c) => c.end());
    return started.pid;
  };
  const pids = [
    await agent('proc-events'),
    await agent('procfs'),
    await agent('proc-events', { withClient: true }),
    await agent('proc-events', { withClient: true, playing: true }),
    bare.pid,
  ];
  await pause(bench.amount(SETTLE_MS, 500));
  const before = pids.map(writtenMb);
  const begun = performance.now();
  const costs = await idleCosts(pids, bench.amount(SECONDS, 1));
  const hours = (performance.now() - begun) / 3_600_000;
  const [events, procfs, client, playing, beating] = costs.map((cost, i) => {
    const pid = pids[i] ?? 0;
    return {
      cost,
      note: `${byThread(pid, cost)}; ${quietness(cost)}`,
      rssMb: rssMb(pid),
      writtenMbPerHour: (writtenMb(pid) - (before[i] ?? 0)) / hours,
    };
  });
  if (!events || !procfs || !client || !playing || !beating) throw new Error('an agent was not measured');
  return { events, procfs, client, playing, bare: beating };
}
