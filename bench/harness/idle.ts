/** What processes cost while nothing happens around them: seconds in which the kernel had no process event. */
import { pause } from './bench.ts';
import { type Cost, meter } from './proc-cost.ts';
import { KernelStamps } from './stamps.ts';

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
