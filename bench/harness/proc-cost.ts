/** What a process costs, from the operating system: CPU by thread, context switches, memory, disk writes. Linux. */
import { readdirSync, readFileSync } from 'node:fs';

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

/** Resident memory, MB. */
export function rssMb(pid: number): number {
  return field(readFileSync(`/proc/${pid}/status`, 'latin1'), 'VmRSS') / 1_024;
}

/** Resident memory by where it comes from, MB. */
export function memoryMb(pid: number): {
  readonly rss: number;
  readonly anonymous: number;
  readonly file: number;
} {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const mb = (name: string) => field(status, name) / 1_024;
  return { rss: mb('VmRSS'), anonymous: mb('RssAnon'), file: mb('RssFile') };
}

/** What it has made the system write to a disk so far, MB; on a file system in memory that is nothing. */
export function writtenMb(pid: number): number {
  return field(readFileSync(`/proc/${pid}/io`, 'latin1'), 'write_bytes') / 2 ** 20;
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
