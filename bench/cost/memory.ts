/** Resident memory and its parts: the heap of each thread, what is mapped from files, and the pool asleep and awake. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { benchAgent } from '../harness/agent.ts';
import { type Bench, type Case, pause, until } from '../harness/bench.ts';
import { start } from '../harness/children.ts';
import { connectSocket, post } from '../harness/clients.ts';
import { gameProgram, workFolder } from '../harness/native.ts';
import { memoryMb } from '../harness/proc-cost.ts';

const PROBE = fileURLToPath(new URL('../cost/heap-probe.cjs', import.meta.url));
/** The pool's thread goes after 10 s without work. */
const POOL_SLEEPS_MS = 13_000;
const PATIENCE_MS = 20_000;
const SETTLE_MS = 8_000;

interface Heap {
  readonly file: string;
  readonly isMainThread: boolean;
  /** Bytes. */
  readonly resident: number;
  readonly used: number;
}

/** What each thread says of its heap. */
async function heaps(pid: number, file: string, threads: number): Promise<readonly Heap[]> {
  rmSync(file, { force: true });
  process.kill(pid, 'SIGUSR2');
  const told = () => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []);
  await until(() => told().length >= threads, PATIENCE_MS, `the heaps of ${threads} threads`);
  return told().map((line) => JSON.parse(line) as Heap);
}

function recordHeaps(bench: Bench, found: readonly Heap[]): void {
  for (const { file, isMainThread, resident, used } of found) {
    const actor = /^(\w+)\.worker/.exec(file)?.[1];
    const id = isMainThread ? 'main' : (actor ?? 'pool');
    const note = `${(used / 2 ** 20).toFixed(1)} MB of it in use`;
    bench.record(
      `heap.${id}`,
      `heap of ${id === 'pool' ? "the pool's thread" : id}`,
      resident / 2 ** 20,
      'MB',
      { note },
    );
  }
}

export const memory: Case = {
  name: 'memory',
  deadlineMs: 60_000,
  async run(bench) {
    const told = join(workFolder(), 'heaps');
    const { name: game, file } = gameProgram();
    const env = { NODE_OPTIONS: `--require ${PROBE}`, BENCH_HEAPS: told };
    const agent = await benchAgent(bench, { game, source: 'proc-events', env });
    const started = new Set<number>();
    const client = await connectSocket(agent, { clientId: 'bench' }, (event) => {
      if (event.type === 'roblox_event') started.add(event.data.process_info.pid);
    });
    bench.owns(client, (c) => c.close());
    await pause(bench.amount(SETTLE_MS, 500));

    const asleep = memoryMb(agent.pid);
    const whole = 'agent, idle, one client, with a probe in each thread';
    bench.record('asleep', `${whole}: resident memory`, asleep.rss, 'MB');
    bench.record(
      'files',
      'of that: mapped from files (Node, libraries; shared with other programs of them)',
      asleep.file,
      'MB',
    );
    bench.record('anonymous', 'of that: its own', asleep.anonymous, 'MB');
    recordHeaps(bench, await heaps(agent.pid, told, 3));

    const child = bench.owns(start(file, ['60000']), (c) => c.end());
    await until(() => started.has(child.pid), PATIENCE_MS, 'the start of the game');
    await post(agent, '/desktop/command', { command: 'force_close', child_profile: 'default_child' });
    const awake = memoryMb(agent.pid);
    bench.record('awake', 'a game just closed, the pool awake', awake.rss, 'MB');
    recordHeaps(
      bench,
      (await heaps(agent.pid, told, 4)).filter(({ file }) => !/^(cli|scanner|session)\./.test(file)),
    );
    await pause(bench.amount(POOL_SLEEPS_MS, 100));
    bench.record('asleep-again', 'and after the pool has gone to sleep', memoryMb(agent.pid).rss, 'MB');
  },
};
