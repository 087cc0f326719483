/** A PC on a fake clock: games that start and end, clocks that can be moved, and an agent that can lose any of its parts. */
import type { Clocks } from '../../../src/actors/session/clocks.ts';
import type { Config } from '../../../src/protocol/config.ts';
import type { GameProcess } from '../../../src/protocol/messages.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';
import { Agent } from './agent.ts';
import { Disk } from './disk.ts';

/** The longest that a message is under way, ms. */
export const MESSAGE_MS = 40;
export const WALL_MS = Date.UTC(2026, 0, 15, 15, 50);

export interface Running {
  readonly process: GameProcess;
  readonly obeys: boolean;
  endMs: number | null;
  /** The agent was up when it ended. */
  agentWasUp: boolean;
  /** The agent whose main was told when exactly it ended. */
  heardBy: Agent | null;
  heardAtMs: number;
}

export class Machine {
  readonly clock = new FakeClock(1_000_000, WALL_MS);
  readonly disk = new Disk(() => this.clock.monotonic());
  readonly provenFile: string;
  /** All processes that ever ran. */
  readonly all: Running[] = [];
  /** When the session actor looked while it knew what runs, awake clock. */
  readonly looks: number[] = [];
  /** When agents were killed. */
  readonly kills: { readonly agent: Agent; readonly atMs: number }[] = [];
  agent: Agent | null = null;
  config: Config;
  /** A promise settled: whoever waits for it must be let go on. */
  settled = false;
  #asleepMs = 0;
  #setMs = 0;
  #random: number;
  #pids = 100;
  readonly clocks: Clocks = {
    read: () => {
      const awakeMs = this.clock.monotonic();
      const elapsedMs = awakeMs + this.#asleepMs;
      return { awakeMs, elapsedMs, wallMs: this.wallMs(), bootId: 'boot', zone: 'UTC' };
    },
    toAwake: (sharedMs) => sharedMs,
  };

  constructor(config: Config, seed: number, provenFile: string) {
    this.config = config;
    this.provenFile = provenFile;
    this.#random = (seed % 2_147_483_646) + 1;
  }

  get running(): Running[] {
    return this.all.filter((r) => r.endMs === null);
  }

  wallMs(): number {
    return this.clock.wall() + this.#asleepMs + this.#setMs;
  }

  /** From 0 to below `n`, fixed by the seed. */
  random(n: number): number {
    this.#random = (this.#random * 48_271) % 2_147_483_647;
    return this.#random % n;
  }

  /** How long a message is under way, ms. */
  delay(): number {
    return this.random(8) === 0 ? this.random(MESSAGE_MS) : 0.2;
  }

  /** It was given a command or another configuration. */
  asked = false;
  reloaded = false;
  /** The session actor hung for so long in all. */
  hungMs = 0;
  /** Frozen for so long in all, and up to then. */
  frozen = { ms: 0, untilMs: 0 };

  looked(knowsAll: boolean): void {
    // Right after a stop it waits for what happened meanwhile.
    if (knowsAll && this.clock.monotonic() > this.frozen.untilMs + 3_000)
      this.looks.push(this.clock.monotonic());
  }

  /** Settles after so long, whoever waits. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.clock.after(ms, () => {
        this.settled = true;
        resolve();
      });
    });
  }

  /** Lets time pass; whoever waits for a promise goes on at its moment. */
  async pass(ms: number): Promise<void> {
    const end = this.clock.monotonic() + ms;
    await this.letGoOn();
    for (;;) {
      const due = this.clock.nextDue;
      if (due === null || due > end) break;
      this.clock.advance(Math.max(0, due - this.clock.monotonic()));
      await this.letGoOn();
    }
    this.clock.advance(Math.max(0, end - this.clock.monotonic()));
  }

  async letGoOn(): Promise<void> {
    while (this.settled) {
      this.settled = false;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  start(game: string, user: string, obeys: boolean): void {
    const pid = ++this.#pids;
    const startedAwakeMs = this.clock.monotonic();
    const named = { name: `${game}.exe`, path: `/${game}`, command: game, execution: null };
    const process = { pid, startKey: `boot:${startedAwakeMs}`, game, user, startedAwakeMs, ...named };
    const running = { process, obeys, endMs: null, agentWasUp: false, heardBy: null, heardAtMs: 0 };
    this.all.push(running);
    this.agent?.scanner?.started(running);
  }

  /** `lost`: nobody watches, it is found gone some time later. */
  end(running: Running, how: 'seen' | 'lost'): void {
    if (running.endMs !== null) return;
    running.endMs = this.clock.monotonic();
    running.agentWasUp = this.agent !== null;
    const scanner = this.agent?.scanner;
    if (how === 'seen') scanner?.stopped(running, running.endMs);
    else this.clock.after(this.random(5_000), () => scanner?.stopped(running, null));
  }

  agentUp(): void {
    this.agent ??= new Agent(this, this.config);
  }

  agentDown(): void {
    if (!this.agent) return;
    this.kills.push({ agent: this.agent, atMs: this.clock.monotonic() });
    this.agent.kill();
    this.agent = null;
  }

  sleep(ms: number): void {
    this.#asleepMs += ms;
  }

  stepWall(ms: number): void {
    this.#setMs += ms;
  }
}
