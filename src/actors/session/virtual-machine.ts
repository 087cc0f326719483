/**
 * A PC in virtual time: clocks that can be set, suspended and rebooted, processes that start and stop, an agent that
 * can be away, and a ledger in memory. It runs the very behaviour of the session actor, one step at each deadline.
 * The simulator and the tests are built on it.
 */
import type { CloseReport } from '../../protocol/commands.ts';
import type {
  CloseOrder,
  FromSession,
  GameProcess,
  LedgerSnapshot,
  SessionCommand,
  SessionConfig,
  SettleResult,
  UsageRow,
} from '../../protocol/messages.ts';
import type { Problem } from '../../protocol/problems.ts';
import { initialState, lookedTo, provenAt, type SessionMessage, step } from './behavior.ts';
import type { ProvenMoment } from './proven-file.ts';
import type { SessionState } from './state.ts';
import { statusOf } from './status.ts';
import type { Reading } from './trusted-clock.ts';

/** How a process takes being closed. */
export type Obedience = 'closes' | 'denied';

export interface VirtualMachineOptions {
  readonly config: SessionConfig;
  /** Epoch ms at which the wall clock starts. */
  readonly wallMs: number;
  readonly zone: string;
  /** Hears every output, at the trusted time it was made. */
  readonly onOutput?: (output: FromSession, nowMs: number) => void;
  /** From a close order to the end of the process, ms. */
  readonly closeTakesMs?: number;
  readonly forget?: boolean;
}

interface Running {
  readonly process: GameProcess;
  readonly child: string | null;
  readonly obedience: Obedience;
}

interface Planned {
  readonly atAwakeMs: number;
  readonly run: () => void;
}

/** The awake clock does not start at 0, as it does not on a real machine. */
const FIRST_AWAKE_MS = 1_000_000;

export class VirtualMachine {
  state: SessionState;
  /** All that was put out, unless `forget` is set: a year of it is a lot. */
  readonly outputs: FromSession[] = [];
  readonly #options: VirtualMachineOptions;
  #config: SessionConfig;
  #awakeMs = FIRST_AWAKE_MS;
  #asleepMs = 0;
  #wallOffMs: number;
  /** By how much somebody set the wall clock, in all. */
  #setMs = 0;
  /** When the agent looked last, by its steps. */
  #lookAwakeMs = 0;
  #zone: string;
  #boot = 1;
  #up = true;
  #deaths = 0;
  #pids = 100;
  #running: Running[] = [];
  #planned: Planned[] = [];
  readonly #withdrawn = new Set<number>();
  readonly #usage = new Map<string, UsageRow>();
  readonly #kept = new Map<string, unknown>();
  #proven: ProvenMoment | null = null;

  constructor(options: VirtualMachineOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#wallOffMs = options.wallMs - FIRST_AWAKE_MS;
    this.#zone = options.zone;
    this.state = this.#fresh();
    this.send({ type: 'tick' });
    this.#snapshot();
  }

  get awakeMs(): number {
    return this.#awakeMs;
  }

  get wallMs(): number {
    return this.#awakeMs + this.#asleepMs + this.#wallOffMs;
  }

  /** What a wall clock that nobody set would show, epoch ms. */
  get honestMs(): number {
    return this.wallMs - this.#setMs;
  }

  /** Whether the agent runs. */
  get up(): boolean {
    return this.#up;
  }

  reading(): Reading {
    return {
      awakeMs: this.#awakeMs,
      elapsedMs: this.#awakeMs + this.#asleepMs,
      wallMs: this.wallMs,
      bootId: `boot-${this.#boot}`,
      zone: this.#zone,
    };
  }

  /** Lets the machine run for so long, awake; the agent steps whenever something is due. */
  advance(ms: number): void {
    const end = this.#awakeMs + ms;
    for (;;) {
      const planned = this.#planned[0]?.atAwakeMs ?? Number.POSITIVE_INFINITY;
      const due = this.#up ? this.state.wakeAwakeMs : Number.POSITIVE_INFINITY;
      const next = Math.min(planned, due);
      if (next > end) break;
      this.#awakeMs = Math.max(this.#awakeMs, next);
      if (planned <= due) this.#planned.shift()?.run();
      else this.send({ type: 'tick' });
    }
    this.#awakeMs = end;
  }

  /** The machine sleeps; what is noticed of it is noticed by the next step. */
  suspend(ms: number): void {
    this.#asleepMs += ms;
    this.#glance();
  }

  stepWall(ms: number): void {
    this.#wallOffMs += ms;
    this.#setMs += ms;
    this.#glance();
  }

  setZone(zone: string): void {
    this.#zone = zone;
    this.#glance();
  }

  /** Off for so long and on again: no process survives, the awake clock starts anew. */
  reboot(offMs: number): void {
    this.#running = [];
    this.#planned = [];
    this.#wallOffMs += this.#awakeMs + this.#asleepMs - FIRST_AWAKE_MS + offMs;
    this.#awakeMs = FIRST_AWAKE_MS;
    this.#lookAwakeMs = 0;
    this.#asleepMs = 0;
    this.#boot += 1;
    this.#up = false;
    this.agentUp();
  }

  /** The agent is gone at once, as by kill -9; the games run on. */
  agentDown(): void {
    if (this.#up) this.#proven = this.#lastLook() ?? this.#proven;
    this.#up = false;
    this.#deaths += 1;
  }

  /** The whole agent is stopped for so long and goes on (SIGSTOP); the games run on. */
  freeze(ms: number): void {
    const lookedAwakeMs = this.#lookedAwakeMs();
    this.#awakeMs += ms;
    this.send({ type: 'tick' }, lookedAwakeMs);
  }

  /** The agent starts from what the ledger kept. */
  agentUp(): void {
    this.#up = true;
    this.state = this.#fresh();
    this.send({ type: 'tick' });
    this.#snapshot();
  }

  /** A game process starts; returns its pid. `agoMs`: it ran for so long before anybody could see it. */
  start(
    game: string,
    child: string | null,
    more: { readonly agoMs?: number; readonly obedience?: Obedience; readonly pid?: number } = {},
  ): number {
    const pid = more.pid ?? ++this.#pids;
    const startedAwakeMs = this.#awakeMs - (more.agoMs ?? 0);
    const startKey = `${this.#boot}:${startedAwakeMs}`;
    const process = {
      pid,
      startKey,
      game,
      name: game,
      path: null,
      command: null,
      user: child,
      startedAwakeMs,
    };
    this.#running.push({ process, child, obedience: more.obedience ?? 'closes' });
    this.send({ type: 'process.started', process, child, found: more.agoMs !== undefined });
    return pid;
  }

  isRunning(pid: number): boolean {
    return this.#running.some((r) => r.process.pid === pid);
  }

  /** Whether it runs, and ends when it is closed. */
  obeys(pid: number): boolean {
    return this.#running.some((r) => r.process.pid === pid && r.obedience === 'closes');
  }

  /** A game process ends, by itself or closed. */
  stop(pid: number, by?: 'limit' | 'pause' | 'command'): void {
    this.#stopped(pid, this.#awakeMs, by);
  }

  /** A game process is found gone, and nobody saw when it went. */
  lose(pid: number): void {
    this.#stopped(pid, null);
  }

  #stopped(pid: number, endedAwakeMs: number | null, by?: 'limit' | 'pause' | 'command'): void {
    const gone = this.#running.find((r) => r.process.pid === pid);
    if (!gone) return;
    this.#running = this.#running.filter((r) => r !== gone);
    this.send({ type: 'process.stopped', identity: gone.process, endedAwakeMs, ...(by && { by }) });
  }

  /** The scanner was replaced: all that runs is said again. */
  rescan(): void {
    this.#snapshot();
  }

  configure(config: SessionConfig): void {
    this.#config = config;
    this.send({ type: 'configure', config });
  }

  command(command: SessionCommand): { readonly result?: unknown; readonly problem?: Problem } {
    let answer: { result?: unknown; problem?: Problem } = {};
    for (const effect of this.send({ type: 'command', command })) {
      if (effect.type === 'command.refused') answer = { problem: effect.problem };
      else if (effect.command) answer = { result: effect.command.result };
    }
    return answer;
  }

  settle(): SettleResult {
    this.send({ type: 'settle' });
    return statusOf(this.state);
  }

  /** Every usage row the ledger has. */
  usage(): readonly UsageRow[] {
    return [...this.#usage.values()];
  }

  /** What a fresh agent would find. */
  ledger(): LedgerSnapshot {
    const snapshot = { usage: this.usage(), state: Object.fromEntries(this.#kept) };
    return JSON.parse(JSON.stringify(snapshot)) as LedgerSnapshot;
  }

  /** Used minutes as the ledger has them; `game` '' is the child's union. */
  usedMs(child: string, day: string, game = ''): number {
    return this.#usage.get(`${child} ${day} ${game}`)?.usedMs ?? 0;
  }

  send(message: SessionMessage, lookedAwakeMs: number = this.#lookedAwakeMs()): ReturnType<typeof step>[1] {
    if (!this.#up) return [];
    const [next, effects] = step(this.state, message, this.reading(), lookedAwakeMs);
    this.state = next;
    this.#lookAwakeMs = lookedTo(message, lookedAwakeMs, this.#awakeMs);
    for (const effect of effects) if (effect.type === 'session.output') this.#commit(effect);
    return effects;
  }

  #fresh(): SessionState {
    return initialState({ config: this.#config, ledger: this.ledger() }, this.reading(), this.#proven);
  }

  /** The shell looks at least on every whole second. */
  #lookedAwakeMs(): number {
    return Math.max(this.#lookAwakeMs, Math.floor(this.#awakeMs / 1_000) * 1_000);
  }

  #lastLook(): ProvenMoment | null {
    const awakeMs = this.#lookedAwakeMs();
    const sinceMs = this.#awakeMs - awakeMs;
    const now = this.reading();
    return provenAt(this.state, {
      ...now,
      awakeMs,
      elapsedMs: now.elapsedMs - sinceMs,
      wallMs: now.wallMs - sinceMs,
    });
  }

  #snapshot(): void {
    this.send({ type: 'processes.snapshot', processes: this.#running });
  }

  /** What the shell does every second: a moved clock is worth a step. */
  #glance(): void {
    this.send({ type: 'tick' });
  }

  #commit(output: FromSession): void {
    if (!this.#options.forget) this.outputs.push(output);
    for (const row of output.ledger.usage) this.#usage.set(`${row.child} ${row.day} ${row.game}`, row);
    for (const [key, value] of Object.entries(output.ledger.state)) {
      if (value === null) this.#kept.delete(key);
      else this.#kept.set(key, value);
    }
    this.#options.onOutput?.(output, this.state.nowMs);
    for (const { pid } of output.withdrawn ?? []) this.#withdrawn.add(pid);
    for (const order of output.closes) this.#close(order);
  }

  #close(order: CloseOrder): void {
    for (const { pid } of order.targets) this.#withdrawn.delete(pid);
    const takesMs = this.#options.closeTakesMs ?? 0;
    const life = this.#deaths;
    this.#plan(takesMs, () => {
      if (this.#deaths !== life) return; // Who carried it out went with the agent.
      const reports = order.targets.map(({ pid }): CloseReport => {
        const target = this.#running.find((r) => r.process.pid === pid);
        return {
          pid,
          name: target?.process.name ?? '',
          outcome: this.#outcome(target),
          waited_ms: takesMs,
        };
      });
      for (const { pid, outcome } of reports) {
        if (outcome === 'closed') this.stop(pid, order.cause === 'pause' ? 'pause' : 'limit');
      }
      this.send({ type: 'close.report', ticket: order.ticket, reports });
    });
  }

  #outcome(target: Running | undefined): CloseReport['outcome'] {
    if (!target) return 'not_running';
    if (this.#withdrawn.has(target.process.pid)) return 'failed';
    return target.obedience === 'denied' ? 'denied' : 'closed';
  }

  #plan(inMs: number, run: () => void): void {
    this.#planned.push({ atAwakeMs: this.#awakeMs + inMs, run });
    this.#planned.sort((a, b) => a.atAwakeMs - b.atAwakeMs);
  }
}
