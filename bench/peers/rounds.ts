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
  const [latencies] = await playTogether([candidate], play);
  if (!latencies) throw new Error(`${candidate.name} was not played against`);
  return latencies;
}

/** The same games for several candidates at once: for those that wait far longer than they would hold up another. */
export async function playTogether(
  candidates: readonly Candidate[],
  play: Play,
): Promise<readonly Latencies[]> {
  const round = new Bench('round', { smoke: false, minutes: null });
  try {
    const { name, file } = gameProgram();
    const stamps = round.owns(new KernelStamps(), (s) => s.close());
    const told: Notice[][] = candidates.map(() => []);
    for (const [i, candidate] of candidates.entries()) {
      await candidate.start(round, name, (notice) => told[i]?.push(notice));
    }
    const playAll = async (games: number) => {
      const { intervalMs, lifeMs, patienceMs = 3_000 } = play;
      const launched = round.owns(launch({ file, count: games, intervalMs, lifeMs }), (l) => l.child.end());
      const { began } = await launched.done;
      const heard = () => told.every((notices) => notices.length >= 2 * games);
      await until(heard, patienceMs, 'all notices').catch(() => {});
      stamps.drain();
      return began;
    };
    await playAll(Math.min(WARM_UP, play.games));
    for (const notices of told) notices.length = 0;
    const began = await playAll(play.games);
    return told.map((notices) => matched(notices, began, stamps));
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

/** Round after round of two candidates by turns (A B, B A, …), so that both meet the same machine. */
export async function playByTurns(
  [a, b]: readonly [Candidate, Candidate],
  play: Play,
  rounds: number,
): Promise<readonly (readonly [a: Latencies, b: Latencies])[]> {
  const played: (readonly [Latencies, Latencies])[] = [];
  for (let i = 0; i < rounds; i++) {
    const first = await playRound(i % 2 === 0 ? a : b, play);
    const second = await playRound(i % 2 === 0 ? b : a, play);
    played.push(i % 2 === 0 ? [first, second] : [second, first]);
  }
  return played;
}

/** Several rounds as one. */
export function joined(rounds: readonly Latencies[]): Latencies {
  return {
    start: rounds.flatMap((r) => r.start),
    startFromMain: rounds.flatMap((r) => r.startFromMain),
    stop: rounds.flatMap((r) => r.stop),
    notices: rounds.flatMap((r) => r.notices),
    played: rounds.reduce((sum, r) => sum + r.played, 0),
    doubled: rounds.reduce((sum, r) => sum + r.doubled, 0),
  };
}
