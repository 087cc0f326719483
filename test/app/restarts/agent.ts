/**
 * The agent without its threads: the real router, command desk and session actor (its shell, on a fake clock), wired as
 * app.ts does it, with messages that take their time between them. A scanner and an executor of the model stand for the real ones.
 */
import { createSessionActor } from '../../../src/actors/session/actor.ts';
import { type CommandDesk, createCommandDesk } from '../../../src/app/command-desk.ts';
import { createRouter, type Router } from '../../../src/app/router.ts';
import type { CloseReport } from '../../../src/protocol/commands.ts';
import type { Config } from '../../../src/protocol/config.ts';
import type {
  CloseTask,
  FromScanner,
  FromSession,
  SessionCalls,
  SettleResult,
  ToSession,
} from '../../../src/protocol/messages.ts';
import type { Answer } from '../../../src/protocol/ports.ts';
import { problem } from '../../../src/protocol/problems.ts';
import type { Machine, Running } from './machine.ts';
import { Thread } from './thread.ts';

const CALL_DEADLINE_MS = 5_000;
const DOWN: Answer<never> = { ok: false, problem: problem('unavailable', 'It is down.') };

export class Agent {
  readonly router: Router;
  readonly desk: CommandDesk;
  readonly main: Thread;
  readonly bornMs: number;
  config: Config;
  session: SessionLife | null = null;
  scanner: ScannerLife | null = null;
  readonly #machine: Machine;

  constructor(machine: Machine, config: Config) {
    this.#machine = machine;
    this.config = config;
    this.bornMs = machine.clock.monotonic();
    this.main = new Thread(machine.clock, () => machine.delay());
    const store = machine.disk.open();
    let bias = machine.disk.biasMs ?? machine.wallMs() - machine.clock.monotonic();
    const clock = {
      monotonic: () => machine.clock.monotonic(),
      wall: () => machine.clock.monotonic() + bias,
      after: (ms: number, fn: () => void) => this.main.after(ms, fn),
      everySecond: this.main.everySecond,
      setBias: (ms: number) => {
        bias = ms;
        machine.disk.biasMs = ms;
      },
      keepIn: () => {},
    };
    this.router = createRouter({
      store,
      clock,
      bootId: 'boot',
      config: () => this.config,
      postToSession: (message) => this.session?.post(message),
      close: (task) => this.#close(task),
      presence: ({ pid }) => (machine.running.some((r) => r.process.pid === pid) ? 'runs' : 'gone'),
      log: { info: () => {}, warn: () => {} },
    });
    this.desk = createCommandDesk({
      agentId: 'a',
      clock,
      store,
      config: () => this.config,
      session: {
        command: async (command) => {
          const answer = await this.call('command', command);
          if (!answer.ok) return answer;
          return answer.value.ok ? { ok: true, value: answer.value.result } : answer.value;
        },
        settle: () => this.settle(),
      },
      highestTrustedMs: clock.wall,
      closeGames: this.router.closeGames,
    });
    this.startSession();
  }

  settle(): Promise<Answer<SettleResult>> {
    return this.call('settle');
  }

  startSession(): void {
    this.session = new SessionLife(this, this.#machine);
  }

  /** The first session actor is up: the scanner begins, and what the last run left is taken up. */
  sessionIsUp(): void {
    if (this.scanner) return;
    this.startScanner();
    void this.desk.resumePending();
  }

  startScanner(): void {
    this.scanner = new ScannerLife(this, this.#machine);
  }

  async reload(config: Config): Promise<void> {
    this.config = config;
    await this.#machine.pause(this.#machine.delay());
    if (!this.main.alive) return;
    this.router.releaseMoved();
    await this.call('configure', config);
    if (!this.main.alive) return;
    this.router.takeMoved();
  }

  async call<K extends keyof SessionCalls>(
    name: K,
    ...args: Parameters<SessionCalls[K]>
  ): Promise<Answer<ReturnType<SessionCalls[K]>>> {
    const { session } = this;
    return session?.isUp ? session.call(name, args) : DOWN;
  }

  /** All of it is gone at once. */
  kill(): void {
    this.main.end();
    this.session?.end();
    this.scanner?.end();
  }

  /** What the executor does, some ms after it is asked; it goes with the agent, though what it asked to end may still end. */
  async #close({ target }: CloseTask): Promise<CloseReport> {
    const machine = this.#machine;
    const { pid, name } = target;
    const waited_ms = machine.random(3_000);
    const regardless = machine.random(2) === 0;
    await machine.pause(waited_ms);
    const running = machine.running.find((r) => r.process.pid === pid);
    if (!this.main.alive) {
      if (running?.obeys && regardless) machine.end(running, 'seen');
      return new Promise(() => {});
    }
    if (!running) return { pid, name, outcome: 'not_running', waited_ms };
    if (!running.obeys) return { pid, name, outcome: 'denied', waited_ms };
    machine.end(running, 'seen');
    return { pid, name, outcome: 'closed', waited_ms };
  }
}

/** One life of the session actor. */
export class SessionLife extends Thread {
  isUp = false;
  /** It was told all that runs. */
  knowsAll = false;
  #actor: ReturnType<typeof createSessionActor> | null = null;
  readonly #toMain: Thread;
  readonly #calls = new Set<(answer: Answer<never>) => void>();
  readonly #machine: Machine;

  constructor(agent: Agent, machine: Machine) {
    super(machine.clock, () => machine.delay());
    this.#machine = machine;
    this.#toMain = new Thread(machine.clock, () => machine.delay());
    const { config } = agent;
    const init = { config, ledger: machine.disk.open().ledger.load(), provenFile: machine.provenFile };
    const post = (output: FromSession) => {
      const sent = structuredClone(output);
      this.#toMain.send(() => agent.router.fromSession(sent));
    };
    const worked = () => machine.looked(this.knowsAll);
    this.after(machine.random(200), () => {
      this.#actor = createSessionActor({ init, post, worked, beat: () => {} }, machine.clocks, this);
      this.#toMain.send(() => {
        this.isUp = true;
        if (config !== agent.config) void this.call('configure', [agent.config]);
        agent.router.greetSession();
        agent.sessionIsUp();
      });
    });
  }

  post(message: ToSession): void {
    if (!this.isUp) return;
    const sent = structuredClone(message);
    this.send(() => {
      this.#actor?.receive(sent);
      this.#machine.looked(this.knowsAll);
      const messages = sent.type === 'several' ? sent.messages : [sent];
      if (messages.some(({ type }) => type === 'processes.snapshot')) this.knowsAll = true;
    });
  }

  call<K extends keyof SessionCalls>(
    name: K,
    args: Parameters<SessionCalls[K]>,
  ): Promise<Answer<ReturnType<SessionCalls[K]>>> {
    return new Promise((resolve) => {
      const settle = (answer: Answer<ReturnType<SessionCalls[K]>>) => {
        if (this.#calls.delete(settle)) this.#machine.settled = true;
        resolve(answer);
      };
      this.#calls.add(settle);
      this.#machine.clock.after(CALL_DEADLINE_MS, () => settle(DOWN));
      this.send(() => {
        const calls = this.#actor?.calls as Record<string, (...a: unknown[]) => unknown> | undefined;
        const value = structuredClone(calls?.[name]?.(...args)) as ReturnType<SessionCalls[K]>;
        this.#machine.looked(this.knowsAll);
        this.#toMain.send(() => settle({ ok: true, value }));
      });
    });
  }

  /** Killed: what it said last is not heard. Else it crashed, and that was. */
  die(killed: boolean): void {
    if (!killed) this.#toMain.flush();
    this.end();
    for (const settle of [...this.#calls]) settle(DOWN);
  }

  override end(): void {
    super.end();
    this.isUp = false;
    this.#toMain.end();
    this.#actor?.stop();
  }
}

/** One life of the scanner: it says all that runs, and then what starts and what ends. */
export class ScannerLife extends Thread {
  /** What it has told as running; null: it has not looked yet. */
  #tracked: Set<number> | null = null;
  readonly #agent: Agent;
  readonly #machine: Machine;

  constructor(agent: Agent, machine: Machine) {
    super(machine.clock, () => machine.delay());
    this.#agent = agent;
    this.#machine = machine;
    this.after(machine.random(300), () => {
      this.#tracked = new Set(machine.running.map((r) => r.process.pid));
      const processes = machine.running.map((r) => r.process);
      this.#say({ type: 'processes.snapshot', processes, source: 'procfs' });
    });
  }

  started({ process }: Running): void {
    if (!this.alive || !this.#tracked) return;
    this.#tracked.add(process.pid);
    this.#say({ type: 'process.started', process, found: false });
  }

  /** `endedAwakeMs` null: it only found it gone. */
  stopped(running: Running, endedAwakeMs: number | null): void {
    if (!this.alive || !this.#tracked?.delete(running.process.pid)) return;
    const { pid, startKey } = running.process;
    const how = endedAwakeMs === null ? 'gone' : 'exit';
    this.#say({ type: 'process.stopped', identity: { pid, startKey }, endedAwakeMs, how }, () => {
      if (endedAwakeMs === null) return;
      running.heardBy = this.#agent;
      running.heardAtMs = this.#machine.clock.monotonic();
    });
  }

  die(killed: boolean): void {
    if (!killed) this.flush();
    this.end();
    if (this.#tracked) this.#agent.router.scannerGone();
  }

  #say(message: FromScanner, heard = () => {}): void {
    const sent = structuredClone(message);
    this.send(() => {
      heard();
      this.#agent.router.fromScanner(sent);
    });
  }
}
