/**
 * One interface for everything that is measured: a named case gets a bench, records measures, and owns what it
 * starts. Whatever a case started ends with it, however it ends; a case that takes too long is given up.
 */
import type { Goal, Measure, Unit } from '../report/measure.ts';
import { type Summary, summarize } from '../report/samples.ts';

export interface Case {
  readonly name: string;
  /** Given up after so long, ms. */
  readonly deadlineMs: number;
  /** Not in the whole run: only by its full name, or when `--minutes` says how long it may take. */
  readonly long?: true;
  run(bench: Bench): Promise<void>;
}

/** How a run was asked for. */
export interface Asked {
  /** Seconds instead of minutes, to see that it still works. */
  readonly smoke: boolean;
  /** How long a long case takes; null: as long as it likes. */
  readonly minutes: number | null;
}

export interface Group {
  readonly name: string;
  readonly cases: readonly Case[];
}

/** What this machine cannot do, or not in time: it says nothing of the bench. */
export class NotHere extends Error {}

type Stop = () => unknown;

export class Bench {
  readonly measures: Measure[] = [];
  readonly #stops: Stop[] = [];
  readonly #prefix: string;
  readonly #asked: Asked;

  constructor(prefix: string, asked: Asked) {
    this.#prefix = prefix;
    this.#asked = asked;
  }

  get smoke(): boolean {
    return this.#asked.smoke;
  }

  /** How long a long case may take: as it was asked, else the full number, or the one of a smoke run. */
  minutes(full: number, smoke: number): number {
    return this.#asked.minutes ?? this.amount(full, smoke);
  }

  /** A number of rounds, seconds or processes: the full one, or the one of a smoke run. */
  amount(full: number, smoke: number): number {
    return this.smoke ? smoke : full;
  }

  record(id: string, what: string, value: number | null, unit: Unit, more: More = {}): void {
    const { goal, note, summary } = more;
    this.measures.push({
      id: `${this.#prefix}.${id}`,
      what,
      value: value !== null && Number.isFinite(value) ? value : null,
      unit,
      ...(goal && { goal }),
      ...(note && { note }),
      ...(summary && { summary }),
    });
  }

  /** p50, p90, p99 and the maximum of samples as four measures. */
  latency(
    id: string,
    what: string,
    samples: readonly number[],
    unit: Unit,
    goals: LatencyGoals = {},
  ): Summary {
    const summary = summarize(samples);
    const note = `${summary.count} samples${goals.note ? `, ${goals.note}` : ''}`;
    this.record(`${id}.p50`, `${what}, p50`, summary.p50, unit, { summary, note, goal: goals.p50 });
    this.record(`${id}.p90`, `${what}, p90`, summary.p90, unit);
    this.record(`${id}.p99`, `${what}, p99`, summary.p99, unit, { goal: goals.p99 });
    this.record(`${id}.max`, `${what}, max`, summary.max, unit);
    return summary;
  }

  /** What was started is stopped when the case ends, the last one first. */
  owns<T>(thing: T, stop: (thing: T) => unknown): T {
    this.#stops.push(() => stop(thing));
    return thing;
  }

  async end(): Promise<void> {
    for (const stop of this.#stops.splice(0).reverse()) {
      try {
        await stop();
      } catch (error) {
        console.error(`  (while cleaning up: ${message(error)})`);
      }
    }
  }
}

interface More {
  readonly goal?: Goal | undefined;
  readonly note?: string | undefined;
  readonly summary?: Summary | undefined;
}

interface LatencyGoals {
  readonly p50?: Goal;
  readonly p99?: Goal;
  readonly note?: string;
}

/** Runs one case to its end; what fails is a measure too. */
export async function runCase(
  group: string,
  { name, deadlineMs, long, run }: Case,
  asked: Asked,
): Promise<Measure[]> {
  const bench = new Bench(`${group}.${name}`, asked);
  const ms = deadlineMs + (long ? (asked.minutes ?? 0) * 60_000 : 0);
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new NotHere(`given up after ${ms / 1_000} s`)), ms);
  });
  try {
    await Promise.race([run(bench), deadline]);
  } catch (error) {
    const [id, what] = error instanceof NotHere ? ['not-here', 'was not measured'] : ['failed', 'failed'];
    bench.record(id, `${name} ${what}`, null, '', { note: message(error) });
  } finally {
    clearTimeout(timer);
    await bench.end();
  }
  return bench.measures;
}

export function message(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until `holds`, looking every few ms; rejects after `ms`. */
export async function until(holds: () => boolean, ms: number, what: string): Promise<void> {
  const end = performance.now() + ms;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`waited ${ms} ms in vain for ${what}`);
    await pause(5);
  }
}
