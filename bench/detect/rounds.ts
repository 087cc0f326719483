/** Plays games against candidates and says how long each start and stop took to reach the client. */
import { Bench, until } from '../harness/bench.ts';
import { gameProgram, launch } from '../harness/native.ts';
import { KernelStamps } from '../harness/stamps.ts';
import type { Candidate, Notice } from './candidates.ts';

export interface Play {
  readonly games: number;
  readonly intervalMs: number;
  readonly lifeMs: number;
  /** How long the last notices may take, ms. */
  readonly patienceMs?: number;
}

export interface StampedNotice extends Notice {
  /** The kernel's own stamp of the exec or exit; null: it was lost. */
  readonly stampMs: number | null;
}

/** All in ms. */
export interface Latencies {
  /** Kernel's exec stamp → client's handler. */
  readonly start: number[];
  /** The first instruction of the game's main() → client's handler. */
  readonly startFromMain: number[];
  /** Kernel's exit stamp → client's handler. */
  readonly stop: number[];
  readonly notices: StampedNotice[];
  readonly played: number;
  /** Starts and stops told more than once. */
  readonly doubled: number;
}

const WARM_UP = 10;

/** One candidate in a process of its own for one round, warmed up; ended afterwards. */
export async function playRound(candidate: Candidate, play: Play): Promise<Latencies> {
  const round = new Bench(candidate.name, false);
  try {
    const { name, file } = gameProgram();
    const stamps = round.owns(new KernelStamps(), (s) => s.close());
    const notices: Notice[] = [];
    await candidate.start(round, name, (notice) => notices.push(notice));
    const patienceMs = play.patienceMs ?? 3_000;
    const count = Math.min(WARM_UP, play.games);
    const warm = { file, count, intervalMs: play.intervalMs, lifeMs: play.lifeMs };
    await round.owns(launch(warm), (l) => l.child.end()).done;
    await until(() => notices.length >= 2 * count, patienceMs, 'the warm-up').catch(() => {});
    notices.length = 0;
    stamps.drain();

    const launched = round.owns(
      launch({ file, count: play.games, intervalMs: play.intervalMs, lifeMs: play.lifeMs }),
      (l) => l.child.end(),
    );
    const { began } = await launched.done;
    await until(() => notices.length >= 2 * play.games, patienceMs, 'all notices').catch(() => {});
    stamps.drain();
    return matched(notices, began, stamps);
  } finally {
    await round.end();
  }
}

function matched(notices: Notice[], began: ReadonlyMap<number, number>, stamps: KernelStamps): Latencies {
  const latencies: Latencies = {
    start: [],
    startFromMain: [],
    stop: [],
    notices: notices.flatMap((notice) => (began.has(notice.pid) ? stamped(notice, stamps) : [])),
    played: began.size,
    doubled: 0,
  };
  const seen = new Set<string>();
  let doubled = 0;
  for (const { kind, pid, atMs, stampMs } of latencies.notices) {
    if (seen.has(`${kind} ${pid}`)) doubled += 1;
    seen.add(`${kind} ${pid}`);
    if (stampMs !== null) latencies[kind].push(atMs - stampMs);
    const main = began.get(pid);
    if (kind === 'start' && main !== undefined) latencies.startFromMain.push(atMs - main);
  }
  return { ...latencies, doubled };
}

function stamped(notice: Notice, { exec, exit }: KernelStamps): StampedNotice {
  const stamp = (notice.kind === 'start' ? exec : exit).before(notice.pid, notice.atMs);
  return { ...notice, stampMs: stamp ?? null };
}

/** The rounds of several candidates by turns, so that all of them meet the same machine. */
export async function playByTurns(
  candidates: readonly Candidate[],
  play: Play,
  rounds: number,
): Promise<ReadonlyMap<Candidate, Latencies>> {
  const sums = new Map<Candidate, Latencies>();
  for (let i = 0; i < rounds; i++) {
    for (const candidate of candidates) {
      const round = await playRound(candidate, play);
      const sum = sums.get(candidate);
      sums.set(candidate, sum ? joined(sum, round) : round);
    }
  }
  return sums;
}

function joined(a: Latencies, b: Latencies): Latencies {
  return {
    start: [...a.start, ...b.start],
    startFromMain: [...a.startFromMain, ...b.startFromMain],
    stop: [...a.stop, ...b.stop],
    notices: [...a.notices, ...b.notices],
    played: a.played + b.played,
    doubled: a.doubled + b.doubled,
  };
}
