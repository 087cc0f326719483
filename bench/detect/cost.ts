/** What detection costs: the idle agent by source, one quiet look by number of processes, one scan against others'. */
import { readdirSync, readlinkSync } from 'node:fs';
import psList from 'ps-list';
import { INITIAL_STATE, step } from '../../src/actors/scanner/behavior.ts';
import { compileRules } from '../../src/actors/scanner/matcher.ts';
import { procReader } from '../../src/actors/scanner/proc.ts';
import type { SourceContext } from '../../src/actors/scanner/source.ts';
import { ProcfsSource } from '../../src/actors/scanner/sources/procfs.ts';
import { DEFAULT_CONFIG } from '../../src/protocol/config.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { IDLE_DEADLINE_MS, type Idle, idleMinute } from '../cost/idle-minute.ts';
import type { Case } from '../harness/bench.ts';
import { calmest, ofRounds } from '../harness/calm.ts';
import { crowd } from '../harness/native.ts';
import { withChildren } from '../harness/proc-cost.ts';
import { missingPython, psutilScanMs } from '../peers/candidates.ts';
import { atMost, type Goal } from '../report/measure.ts';
import { exponent } from '../report/samples.ts';

const CROWD = 300;

export const idle: Case = {
  name: 'idle',
  deadlineMs: IDLE_DEADLINE_MS,
  async run(bench) {
    const { events, procfs } = await idleMinute(bench);
    record('proc-events', events, 0.1, atMost(5));
    record('procfs', procfs, 0.7);

    function record(source: string, { cost, note, rssMb }: Idle, cpu: number, switches?: Goal) {
      const what = `${source}, idle`;
      bench.record(`${source}.cpu`, `${what}: CPU of a core`, cost.cpuPercent, '%', {
        goal: atMost(cpu),
        note,
      });
      const { voluntaryPerSecond } = cost;
      bench.record(`${source}.switches`, `${what}: voluntary switches`, voluntaryPerSecond, '/s', {
        goal: switches,
      });
      bench.record(`${source}.rss`, `${what}: resident memory`, rssMb, 'MB');
    }
  },
};

/** One look of procfs when nothing has happened, and the growth of what it and a full look cost. */
export const growth: Case = {
  name: 'tick',
  deadlineMs: 60_000,
  async run(bench) {
    const counts = bench.smoke ? [20, 40] : [100, 300, 1_000, 3_000, 5_000];
    const ticks: [number, number][] = [];
    const full: [number, number][] = [];
    const already = processes();
    const rounds = bench.amount(60, 5);
    const note = ofRounds(rounds);
    for (const count of counts) {
      const around = await crowd(count);
      try {
        const { tickUs, fullMs } = await quietCosts(rounds);
        ticks.push([already + count, tickUs]);
        full.push([already + count, fullMs]);
        bench.record(`${count}.quiet`, `procfs: one quiet tick among ${count} more processes`, tickUs, 'µs', {
          note,
        });
        bench.record(`${count}.full`, `procfs: one full look among ${count} more processes`, fullMs, 'ms', {
          note,
        });
      } finally {
        await around.end();
      }
    }
    const costs = ticks.map(([, us]) => us);
    const spread = Math.max(...costs) / Math.min(...costs);
    bench.record('flat', 'procfs: dearest quiet tick / cheapest', spread, '×', { goal: atMost(1.3) });
    bench.record('quiet.exponent', 'quiet tick ~ processes^k: k', exponent(ticks), '');
    bench.record('full.exponent', 'full look ~ processes^k: k', exponent(full), '');
  },
};

/** Those that have a program: the kernel's threads are not looked at again. */
function processes(): number {
  const programs = readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readlinkSync(`/proc/${name}/exe`) !== '';
    } catch {
      return false;
    }
  });
  return programs.length;
}

const TICKS = 5_000;

/** Of the calmest of the rounds in which nothing was forked by anybody: a tick after a fork is not a quiet one. */
async function quietCosts(rounds: number): Promise<{ readonly tickUs: number; readonly fullMs: number }> {
  const ticks: number[] = [];
  const full: number[] = [];
  const source = quietProcfs();
  for (let round = 0; round < 10 * rounds && ticks.length < rounds; round++) {
    const newest = source.newestPid();
    await source.start(() => {});
    const ticking = performance.now();
    for (let i = 0; i < TICKS; i++) source.tick();
    const tickUs = ((performance.now() - ticking) * 1_000) / TICKS;
    if (source.newestPid() === newest) ticks.push(tickUs);
    const looking = performance.now();
    source.rescan();
    full.push(performance.now() - looking);
    source.stop();
  }
  return { tickUs: Math.min(...ticks), fullMs: Math.min(...full) };
}

/** The source without its thread and timer. */
function quietProcfs() {
  const rules = compileRules(DEFAULT_CONFIG.games);
  const context: SourceContext = {
    clock: { ...systemClock, after: () => () => {}, every: () => () => {}, everySecond: () => () => {} },
    rules: () => rules,
    watched: () => [],
    isWatched: () => false,
    bootId: 'bench',
    beat: () => {},
    lastClocks: null,
    pollIntervalMs: 50,
    // No reconcile comes in between: it is measured by itself.
    reconcileMs: 3_600_000,
  };
  const reader = procReader({
    rules: () => rules,
    bootId: 'bench',
    beat: () => {},
    accountName: () => 'nobody',
    now: systemClock.monotonic,
  });
  const source = new ProcfsSource({ context, reader });
  return {
    start: (observe: () => void) =>
      source.start({ observe, idle: () => {}, failed: () => {}, died: () => {}, overflowed: () => {} }),
    newestPid: () => reader.newestPid(),
    tick: () => source.tick(),
    rescan: () => source.rescan('reconcile'),
    stop: () => source.stop(),
  };
}

/** One scan of all processes: ours, ps-list's and psutil's, by turns. */
export const scan: Case = {
  name: 'scan',
  deadlineMs: 60_000,
  async run(bench) {
    bench.owns(await crowd(bench.amount(CROWD, 20)), (c) => c.end());
    const source = quietProcfs();
    await source.start(() => {});
    const absent = missingPython('psutil');
    const rounds = bench.amount(5, 1);
    const scans = bench.amount(5, 1);
    const costs: { ours: number; quiet: number; theirs: number; psutil: number | null }[] = [];
    for (let round = 0; round < rounds; round++) {
      costs.push({
        ours: await cpuMs(bench.amount(20, 5), async () => source.rescan()),
        quiet: await cpuMs(bench.amount(20_000, 100), async () => source.tick()),
        theirs: await cpuMs(scans, psList),
        psutil: absent ? null : psutilScanMs(scans),
      });
    }
    source.stop();
    const least = (of: 'ours' | 'quiet' | 'theirs' | 'psutil') =>
      Math.min(...costs.map((cost) => cost[of] ?? Number.NaN));
    const [ours, theirs, psutil] = [least('ours'), least('theirs'), least('psutil')];
    const note = ofRounds(rounds);
    bench.record('full', 'full look of procfs at 300 processes: CPU', ours, 'ms', { note });
    bench.record('quiet', 'quiet tick of procfs: CPU', least('quiet'), 'ms', { note });
    bench.record('ps-list', 'ps-list: CPU, its child included', theirs, 'ms', { note });
    bench.record('ps-list.ratio', 'ps-list / full look', theirs / ours, '×');
    bench.record('psutil', 'psutil: CPU', psutil, 'ms', { note: absent ?? note });
    bench.record('psutil.ratio', 'psutil / full look', psutil / ours, '×', { note: absent ?? undefined });
    const event = { type: 'exit', pid: 1, atMs: 0, successor: null } as const;
    const decision = await calmest(bench, () => step(INITIAL_STATE, event));
    bench.record('foreign-event', "the behaviour on another program's event", decision.p50, 'ns', {
      note: decision.note,
    });
  },
};

/** CPU of this process and of the children that it has waited for, ms for each call of `scan`. */
async function cpuMs(rounds: number, scan: () => Promise<unknown>): Promise<number> {
  await scan();
  const before = withChildren(process.pid);
  for (let i = 0; i < rounds; i++) await scan();
  return ((withChildren(process.pid) - before) * 1_000) / rounds;
}
