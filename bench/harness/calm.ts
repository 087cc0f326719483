/**
 * How long a function takes by itself. What else a shared machine does only ever adds, for seconds at a time, and up to
 * twice what the function takes: it is timed in several rounds with pauses, and the calmest round counts.
 */
import { do_not_optimize, measure } from 'mitata';
import { type Bench, pause } from './bench.ts';

const ROUNDS = 5;
const PAUSE_MS = 300;
/** Of calls in a round, ns. */
const ROUND_NS = 150e6;

export interface Calmest {
  /** In ns, both of the round with the lowest median. */
  readonly p50: number;
  readonly p99: number;
  /** How it was measured, in words. */
  readonly note: string;
}

/** Each round is mitata's, with a warm-up of its own. */
export async function calmest(bench: Bench, fn: () => unknown): Promise<Calmest> {
  const rounds = bench.amount(ROUNDS, 1);
  let best = { p50: Number.POSITIVE_INFINITY, p99: Number.POSITIVE_INFINITY };
  for (let round = 0; round < rounds; round++) {
    if (round > 0) await pause(PAUSE_MS);
    const { p50, p99 } = await measure(() => do_not_optimize(fn()), { min_cpu_time: ROUND_NS });
    if (p50 < best.p50) best = { p50, p99 };
  }
  return { ...best, note: ofRounds(rounds) };
}

/** For figures that take their rounds by themselves. */
export const ofRounds = (rounds: number): string => `the calmest of ${rounds} rounds`;
