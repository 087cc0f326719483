/** Children without threads, for the supervisor's tests: each start, stop and report lands in one diary. */
import type { ExitReason } from '../../src/runtime/actor.ts';
import type { ChildSpec, Report, RunningChild } from '../../src/runtime/child.ts';
import { RESTART_LIMITS, type RestartLimits } from '../../src/runtime/restart-rule.ts';
import { type Strategy, Supervisor } from '../../src/runtime/supervisor.ts';
import { FakeClock } from '../helpers/fake-clock.ts';

type StartBehaviour = 'ready' | 'fails' | 'waits';
type StopBehaviour = 'stops' | 'fails' | 'waits';

/** One child over all its incarnations. */
export class FakeChild {
  readonly id: string;
  start: StartBehaviour = 'ready';
  stop: StopBehaviour = 'stops';
  /** Since its last beat, ms; null: it does not beat. */
  beatAgoMs: number | null = null;
  /** false: a kill has no effect yet. */
  dies = true;
  /** Living incarnations; more than one is a fault of the supervisor. */
  alive = 0;
  #exit: (exit: ExitReason) => void = () => {};
  #startNow: () => void = () => {};
  #stopNow: () => void = () => {};
  readonly #diary: string[];

  constructor(id: string, diary: string[]) {
    this.id = id;
    this.#diary = diary;
  }

  /** The living incarnation ends by itself. */
  exits(exit: ExitReason): void {
    this.#exit(exit);
  }

  /** A start or stop that waits goes on. */
  goOn(): void {
    this.#startNow();
    this.#stopNow();
  }

  async launch(incarnation: number): Promise<RunningChild> {
    this.#diary.push(`start ${this.id}#${incarnation}`);
    if (this.start === 'fails') throw new Error(`${this.id} cannot start`);
    if (this.start === 'waits') {
      await new Promise<void>((resolve) => {
        this.#startNow = resolve;
      });
    }
    this.alive += 1;
    // A new thread beats first of all.
    if (this.beatAgoMs !== null && incarnation > 1) this.beatAgoMs = 0;
    const exited = new Promise<ExitReason>((resolve) => {
      this.#exit = (exit) => {
        this.#exit = () => {};
        this.alive -= 1;
        resolve(exit);
      };
    });
    return {
      exited,
      stop: () => this.#halt(incarnation),
      kill: async (reason) => {
        this.#diary.push(`kill ${this.id}#${incarnation}`);
        if (this.dies) this.#exit({ kind: 'killed', reason });
      },
      ...(this.beatAgoMs !== null && {
        beat: () => ({ lastBeatAgoMs: this.beatAgoMs ?? 0, lastWorkAgoMs: 7 }),
      }),
    };
  }

  async #halt(incarnation: number): Promise<void> {
    this.#diary.push(`stop ${this.id}#${incarnation}`);
    if (this.stop === 'fails') throw new Error('stuck');
    if (this.stop === 'waits') {
      await new Promise<void>((resolve) => {
        this.#stopNow = resolve;
      });
    }
    this.#exit({ kind: 'stopped' });
  }
}

export interface World {
  readonly clock: FakeClock;
  readonly supervisor: Supervisor;
  readonly children: Readonly<Record<string, FakeChild>>;
  /** Starts, stops and kills since it was last read. */
  diary(): string[];
  readonly reports: Report[];
  readonly gaveUp: string[];
  /** Lets everything that is due happen, moves time on, and lets everything that follows happen. */
  pass(ms: number): Promise<void>;
  states(): Record<string, string>;
}

/** A supervisor over `a`, `b`, `c`, with these differences from permanent ones; no jitter: delays are the longest. */
export function world(
  strategy: Strategy,
  specs: Partial<Record<'a' | 'b' | 'c', Partial<ChildSpec>>> = {},
  options: { readonly limits?: RestartLimits; onReport?(report: Report): void } = {},
): World {
  const clock = new FakeClock();
  const diary: string[] = [];
  const reports: Report[] = [];
  const gaveUp: string[] = [];
  const children = Object.fromEntries(['a', 'b', 'c'].map((id) => [id, new FakeChild(id, diary)]));
  const supervisor = new Supervisor({
    name: 'test',
    strategy,
    clock,
    random: () => 1,
    limits: options.limits ?? RESTART_LIMITS,
    children: Object.values(children).map((child) => ({
      id: child.id,
      restart: 'permanent',
      shutdownMs: 1_000,
      start: (incarnation) => child.launch(incarnation),
      ...specs[child.id as 'a' | 'b' | 'c'],
    })),
    onReport(report) {
      reports.push(report);
      options.onReport?.(report);
    },
    onGaveUp: (child, reason) => gaveUp.push(`${child}: ${reason}`),
  });
  return {
    clock,
    supervisor,
    children,
    reports,
    gaveUp,
    diary: () => diary.splice(0),
    async pass(ms) {
      await settled();
      clock.advance(ms);
      await settled();
    },
    states: () =>
      Object.fromEntries(Object.entries(supervisor.state()).map(([id, child]) => [id, child.state])),
  };
}

export const CRASH: ExitReason = { kind: 'crashed', message: 'boom' };

/** One whose children are up, with nothing in the diary. */
export async function running(...args: Parameters<typeof world>): Promise<World> {
  const w = world(...args);
  await w.supervisor.start();
  w.diary();
  w.reports.length = 0;
  return w;
}

/** Crashes it, again and again as soon as it is up, so often. */
export async function crashes(w: World, id: string, times: number): Promise<void> {
  for (let n = 0; n < times; n += 1) {
    w.children[id]?.exits(CRASH);
    await w.pass(2_000);
  }
}

/** Lets every promise that can settle without time settle. */
export async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
