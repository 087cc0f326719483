/** What a process costs, from the operating system: CPU by thread in ns, context switches, resident memory. Linux. */
import { readdirSync, readFileSync } from 'node:fs';
import { pause } from './bench.ts';
import { KernelStamps } from './stamps.ts';

interface ThreadCost {
  readonly cpuNs: number;
  readonly voluntary: number;
  readonly involuntary: number;
}

export interface Cost {
  readonly seconds: number;
  /** Share of one core, %. */
  readonly cpuPercent: number;
  readonly voluntaryPerSecond: number;
  readonly involuntaryPerSecond: number;
  /** The same for each thread that ran at all, the costliest first; the main thread's id is the pid. */
  readonly threads: readonly {
    readonly tid: number;
    readonly cpuPercent: number;
    readonly voluntaryPerSecond: number;
  }[];
}

function threadCosts(pid: number): ReadonlyMap<number, ThreadCost> {
  const costs = new Map<number, ThreadCost>();
  for (const name of readdirSync(`/proc/${pid}/task`)) {
    const folder = `/proc/${pid}/task/${name}`;
    try {
      const [cpuNs] = readFileSync(`${folder}/schedstat`, 'latin1').split(' ');
      const status = readFileSync(`${folder}/status`, 'latin1');
      costs.set(Number(name), {
        cpuNs: Number(cpuNs),
        voluntary: field(status, 'voluntary_ctxt_switches'),
        involuntary: field(status, 'nonvoluntary_ctxt_switches'),
      });
    } catch {
      // The thread has just ended.
    }
  }
  return costs;
}

function field(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(status)?.[1] ?? Number.NaN);
}

/** Starts to count; the function that comes back says what was used since. */
export function meter(pid: number): () => Cost {
  const before = threadCosts(pid);
  const begun = performance.now();
  return () => {
    const seconds = (performance.now() - begun) / 1_000;
    const zero = { cpuNs: 0, voluntary: 0, involuntary: 0 };
    const used = [...threadCosts(pid)].map(([tid, after]) => {
      const was = before.get(tid) ?? zero;
      return {
        tid,
        cpuNs: after.cpuNs - was.cpuNs,
        voluntary: after.voluntary - was.voluntary,
        involuntary: after.involuntary - was.involuntary,
      };
    });
    const sum = (of: 'cpuNs' | 'voluntary' | 'involuntary') => used.reduce((total, t) => total + t[of], 0);
    return {
      seconds,
      cpuPercent: percent(sum('cpuNs'), seconds),
      voluntaryPerSecond: sum('voluntary') / seconds,
      involuntaryPerSecond: sum('involuntary') / seconds,
      threads: used
        .filter((t) => t.cpuNs > 0)
        .sort((a, b) => b.cpuNs - a.cpuNs)
        .map(({ tid, cpuNs, voluntary }) => ({
          tid,
          cpuPercent: percent(cpuNs, seconds),
          voluntaryPerSecond: voluntary / seconds,
        })),
    };
  };
}

const percent = (ns: number, seconds: number) => ns / 1e7 / seconds;

export interface IdleCost extends Cost {
  /** Seconds in which the kernel had no process event, and which alone are counted. */
  readonly quietSeconds: number;
  /** Execs by others in all the time. */
  readonly foreignExecs: number;
}

/** Fewer quiet seconds than this say nothing; then all seconds are counted. */
const QUIET_ENOUGH = 15;

/**
 * What processes cost when nothing happens, over `seconds` in slices of one: slices in which other programs were
 * started or ended are left out, since reacting to those is another cost.
 */
export async function idleCosts(pids: readonly number[], seconds: number): Promise<readonly IdleCost[]> {
  const stamps = new KernelStamps({ forks: true });
  const slices: { readonly events: number; readonly costs: readonly Cost[] }[] = [];
  for (let i = 0; i < seconds; i++) {
    stamps.drain();
    const before = stamps.events;
    const stops = pids.map(meter);
    await pause(1_000);
    const costs = stops.map((stop) => stop());
    stamps.drain();
    slices.push({ events: stamps.events - before, costs });
  }
  const { execs: foreignExecs } = stamps;
  stamps.close();
  const quiet = slices.filter(({ events }) => events === 0);
  const counted = quiet.length >= Math.min(QUIET_ENOUGH, seconds) ? quiet : slices;
  return pids.map((_, i) => ({
    ...average(counted.flatMap(({ costs }) => costs[i] ?? [])),
    quietSeconds: quiet.length,
    foreignExecs,
  }));
}

function average(costs: readonly Cost[]): Cost {
  const mean = (of: (cost: Cost) => number) => costs.reduce((sum, cost) => sum + of(cost), 0) / costs.length;
  const tids = new Set(costs.flatMap(({ threads }) => threads.map(({ tid }) => tid)));
  const thread = (cost: Cost, tid: number) => cost.threads.find((t) => t.tid === tid);
  return {
    seconds: costs.length,
    cpuPercent: mean((c) => c.cpuPercent),
    voluntaryPerSecond: mean((c) => c.voluntaryPerSecond),
    involuntaryPerSecond: mean((c) => c.involuntaryPerSecond),
    threads: [...tids]
      .map((tid) => ({
        tid,
        cpuPercent: mean((c) => thread(c, tid)?.cpuPercent ?? 0),
        voluntaryPerSecond: mean((c) => thread(c, tid)?.voluntaryPerSecond ?? 0),
      }))
      .sort((a, b) => b.cpuPercent - a.cpuPercent),
  };
}

/** How far the number can be trusted, in words. */
export function quietness({ quietSeconds, foreignExecs, seconds }: IdleCost): string {
  const counted =
    quietSeconds >= seconds
      ? `${seconds} s without any process event`
      : `all ${seconds} s counted, only ${quietSeconds} of them without process events`;
  return `${counted}, ${foreignExecs} execs by others around`;
}

/** Resident memory, MB. */
export function rssMb(pid: number): number {
  return field(readFileSync(`/proc/${pid}/status`, 'latin1'), 'VmRSS') / 1_024;
}

/** `main 0.02 %, 2 others 0.05 %`: where the time of a process goes. */
export function byThread(pid: number, { threads }: Cost): string {
  const parts = threads
    .slice(0, 4)
    .map(
      (t) =>
        `${t.tid === pid ? 'main' : 'thread'} ${t.cpuPercent.toFixed(3)} % ${t.voluntaryPerSecond.toFixed(1)}/s`,
    );
  return parts.join(', ');
}

/** CPU seconds that a process and the children it has waited for have used so far. */
export function withChildren(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const own = [...threadCosts(pid).values()].reduce((sum, { cpuNs }) => sum + cpuNs, 0);
  // Field 16 and 17 of proc(5), in ticks of 10 ms.
  return own / 1e9 + (Number(fields[13]) + Number(fields[14])) / 100;
}
