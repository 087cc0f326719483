/**
 * The PC of virtual-machine.ts once more, around the real shell (actor.ts) on a fake clock: the same clocks that can be
 * set, the same games that obey or not, the same ledger; but every step is taken when the shell's own timers say so.
 */
import { createSessionActor } from '../../../src/actors/session/actor.ts';
import type { Clocks } from '../../../src/actors/session/clocks.ts';
import type { Obedience } from '../../../src/actors/session/virtual-machine.ts';
import type { CloseReport } from '../../../src/protocol/commands.ts';
import type { EventBody } from '../../../src/protocol/events.ts';
import type {
  CloseOrder,
  FromSession,
  GameProcess,
  LedgerSnapshot,
  SessionCommand,
  SessionConfig,
  SettleResult,
  UsageRow,
} from '../../../src/protocol/messages.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';

interface Running {
  readonly process: GameProcess;
  readonly child: string | null;
  readonly obedience: Obedience;
}

export interface ShellMachineOptions {
  readonly config: SessionConfig;
  readonly wallMs: number;
  readonly zone: string;
  readonly closeTakesMs: number;
  /** Where the last proven moment is kept over the deaths of the agent. */
  readonly provenFile: string;
}

export interface ClockMove {
  readonly suspendMs?: number;
  readonly stepMs?: number;
  readonly zone?: string;
}

/** As on the virtual machine, so that both make the same identities. */
const FIRST_AWAKE_MS = 1_000_000;

export class ShellMachine {
  readonly events: EventBody[] = [];
  readonly #options: ShellMachineOptions;
  readonly #clock: FakeClock;
  #asleepMs = 0;
  #setMs = 0;
  #zone: string;
  #pids = 100;
  #running: Running[] = [];
  readonly #usage = new Map<string, UsageRow>();
  readonly #kept = new Map<string, unknown>();
  #actor: ReturnType<typeof createSessionActor> | null = null;

  constructor(options: ShellMachineOptions) {
    this.#options = options;
    this.#clock = new FakeClock(FIRST_AWAKE_MS, options.wallMs);
    this.#zone = options.zone;
    this.agentUp();
  }

  /** `then`: what is done to the clocks at the end of it, just before the shell looks at them. */
  advance(ms: number, then: ClockMove = {}): void {
    const { suspendMs = 0, stepMs = 0, zone } = then;
    this.#clock.after(ms, () => {
      this.#asleepMs += suspendMs;
      this.#setMs += stepMs;
      this.#zone = zone ?? this.#zone;
    });
    this.#clock.advance(ms);
  }

  agentDown(): void {
    this.#actor?.stop();
    this.#actor = null;
  }

  agentUp(): void {
    const host = {
      init: {
        config: this.#options.config,
        ledger: this.#ledger(),
        provenFile: this.#options.provenFile,
      },
      post: (output: FromSession) => this.#commit(structuredClone(output)),
      worked: () => {},
      beat: () => {},
    };
    this.#actor = createSessionActor(host, this.#clocks(), this.#clock);
    this.rescan();
  }

  rescan(): void {
    this.#actor?.receive({ type: 'processes.snapshot', processes: this.#running });
  }

  start(game: string, child: string, { obedience = 'closes' }: { obedience?: Obedience } = {}): number {
    const pid = ++this.#pids;
    const startedAwakeMs = this.#clock.monotonic();
    const startKey = `1:${startedAwakeMs}`;
    const named = { name: game, path: null, command: null, user: child };
    const process: GameProcess = { pid, startKey, game, ...named, startedAwakeMs };
    this.#running.push({ process, child, obedience });
    this.#actor?.receive({ type: 'process.started', process, child, found: false });
    return pid;
  }

  isRunning(pid: number): boolean {
    return this.#running.some((r) => r.process.pid === pid);
  }

  stop(pid: number, by?: 'limit' | 'pause'): void {
    this.#stopped(pid, this.#clock.monotonic(), by);
  }

  /** A game process is found gone, and nobody saw when it went. */
  lose(pid: number): void {
    this.#stopped(pid, null);
  }

  #stopped(pid: number, endedAwakeMs: number | null, by?: 'limit' | 'pause'): void {
    const gone = this.#running.find((r) => r.process.pid === pid);
    if (!gone) return;
    this.#running = this.#running.filter((r) => r !== gone);
    this.#actor?.receive({
      type: 'process.stopped',
      identity: gone.process,
      endedAwakeMs,
      ...(by && { by }),
    });
  }

  command(command: SessionCommand): void {
    this.#actor?.calls.command(command);
  }

  settle(): SettleResult {
    if (!this.#actor) throw new Error('the agent is down');
    return this.#actor.calls.settle();
  }

  usage(): readonly UsageRow[] {
    return [...this.#usage.values()];
  }

  #ledger(): LedgerSnapshot {
    return structuredClone({ usage: this.usage(), state: Object.fromEntries(this.#kept) });
  }

  #clocks(): Clocks {
    return {
      read: () => {
        const awakeMs = this.#clock.monotonic();
        const elapsedMs = awakeMs + this.#asleepMs;
        const wallMs = this.#clock.wall() + this.#asleepMs + this.#setMs;
        return { awakeMs, elapsedMs, wallMs, bootId: 'boot-1', zone: this.#zone };
      },
      toAwake: (sharedMs) => sharedMs,
    };
  }

  #commit(output: FromSession): void {
    this.events.push(...output.events);
    for (const row of output.ledger.usage) this.#usage.set(`${row.child} ${row.day} ${row.game}`, row);
    for (const [key, value] of Object.entries(output.ledger.state)) {
      if (value === null) this.#kept.delete(key);
      else this.#kept.set(key, value);
    }
    const actor = this.#actor;
    for (const order of output.closes)
      this.#clock.after(this.#options.closeTakesMs, () => {
        if (this.#actor === actor) this.#close(order); // Else who carried it out went with the agent.
      });
  }

  /** What the executor does, as the virtual machine has it. */
  #close(order: CloseOrder): void {
    const reports = order.targets.map(({ pid }): CloseReport => {
      const target = this.#running.find((r) => r.process.pid === pid);
      const outcome = !target ? 'not_running' : target.obedience === 'denied' ? 'denied' : 'closed';
      return { pid, name: target?.process.name ?? '', outcome, waited_ms: this.#options.closeTakesMs };
    });
    for (const { pid, outcome } of reports) {
      if (outcome === 'closed') this.stop(pid, order.cause === 'pause' ? 'pause' : 'limit');
    }
    this.#actor?.receive({ type: 'close.report', ticket: order.ticket, reports });
  }
}
