/** One run as it is kept: the machine, the noise around it, and its measures. */
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import type { Measure } from './measure.ts';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMb: number;
  readonly kernel: string;
  readonly node: string;
}

/** What else went on: a latency measured on a busy machine says little of the agent. */
export interface Noise {
  readonly loadBefore: readonly number[];
  readonly loadAfter: readonly number[];
  /** Share of all cores that was in use before anything was started, %, over a second. */
  readonly busyBefore: number;
}

export interface Results {
  readonly at: string;
  readonly smoke: boolean;
  readonly machine: Machine;
  readonly noise: Noise;
  /** How long the same piece of work took around each case (`group.case`), µs; runs of before 2026-11-29 have none. */
  readonly paceUs?: Readonly<Record<string, number>>;
  readonly measures: readonly Measure[];
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryMb: Math.round(totalmem() / 2 ** 20),
    kernel: `${type()} ${release()}`,
    node: process.version,
  };
}

/** Share of all cores in use over `ms`, %. */
export async function busyShare(ms: number): Promise<number> {
  const before = cpuTimes();
  await new Promise((resolve) => setTimeout(resolve, ms));
  const after = cpuTimes();
  const total = after.total - before.total;
  return total === 0 ? 0 : (100 * (after.busy - before.busy)) / total;
}

export function cpuTimes(): { readonly busy: number; readonly total: number } {
  let [busy, total] = [0, 0];
  for (const { times } of cpus()) {
    const all = times.user + times.nice + times.sys + times.idle + times.irq;
    total += all;
    busy += all - times.idle;
  }
  return { busy, total };
}

export const loads = (): readonly number[] => loadavg().map((load) => Math.round(load * 100) / 100);

export function describeRun({ at, machine: m, noise, paceUs = {} }: Results): string {
  const around = `load average ${noise.loadBefore[0]} before and ${noise.loadAfter[0]} after, ${noise.busyBefore.toFixed(0)} % of all cores busy before the first measure`;
  const times = Object.values(paceUs);
  const pace =
    times.length === 0
      ? ''
      : `\none piece of work that is always the same took ${Math.min(...times).toFixed(0)} to ${Math.max(...times).toFixed(0)} µs, as the machine's pace changed from case to case`;
  return `${at}\n${m.cores} × ${m.cpu}, ${m.memoryMb} MB, ${m.kernel}, Node ${m.node}\n${around}${pace}`;
}

export function readResults(file: string): Results {
  return JSON.parse(readFileSync(file, 'utf8')) as Results;
}
