/**
 * A command desk on fakes: a store in memory that forgets what was not committed, a session actor and a closer
 * that count what they do. `restart` is what a killed agent leaves: the store, nothing else.
 */
import { type CommandDesk, type CommandDeskOptions, createCommandDesk } from '../../src/app/command-desk.ts';
import { recordOutcome } from '../../src/app/command-outcome.ts';
import type { CloseReport } from '../../src/protocol/commands.ts';
import { type ConfigDocument, parseConfig } from '../../src/protocol/config.ts';
import type { EventBody } from '../../src/protocol/events.ts';
import type { ChildStatus } from '../../src/protocol/http-answers.ts';
import type { SessionCommand } from '../../src/protocol/messages.ts';
import type { Answer, CommandRecord, CommandStore } from '../../src/protocol/ports.ts';
import { problem } from '../../src/protocol/problems.ts';
import { FakeClock } from './fake-clock.ts';
import { MemoryLog } from './memory-store.ts';

export const AGENT_ID = '0b1c2d3e-0000-4000-8000-000000000001';

export class MemoryCommands implements CommandStore {
  readonly records = new Map<string, CommandRecord>();
  /** The disk takes no answers. */
  refuse = false;

  get(commandId: string): CommandRecord | null {
    return this.records.get(commandId) ?? null;
  }

  accept(record: CommandRecord): void {
    this.records.set(record.commandId, record);
  }

  finish(commandId: string, answer: CommandRecord['answer']): void {
    if (this.refuse) throw new Error('database or disk is full');
    const record = this.records.get(commandId);
    if (record) this.records.set(commandId, { ...record, answer });
  }

  forget(commandId: string): void {
    this.records.delete(commandId);
  }

  pending(): readonly CommandRecord[] {
    return [...this.records.values()].filter((record) => record.answer === null);
  }
}

const STATUS: ChildStatus = {
  playing: false,
  session_id: null,
  game: null,
  used_minutes_today: 0,
  remaining_minutes: 120,
  limited_by: 'day',
  paused_until: null,
  limits: {
    daily_limit_minutes: 120,
    weekly_limit_minutes: null,
    extra_minutes: 0,
    used_minutes_week: 0,
    games: {},
    window: null,
  },
};

export class CommandBench {
  readonly clock = new FakeClock();
  readonly log = new MemoryLog();
  readonly commands = new MemoryCommands();
  /** What was carried out, in order: the effects. */
  readonly effects: string[] = [];
  /** What happened around them, in order. */
  readonly trace: string[] = [];
  reports: readonly CloseReport[] = [{ pid: 5, name: 'player', outcome: 'closed', waited_ms: 12 }];
  /** Runs before the session actor does anything; may throw or answer in its place. */
  beforeSession: (command: SessionCommand) => Promise<Answer<unknown> | null> = async () => null;
  beforeClose: () => Promise<void> = async () => {};
  durable: () => Promise<void> = async () => {};
  desk: CommandDesk;
  #document: ConfigDocument;

  constructor(document: ConfigDocument = {}) {
    this.#document = document;
    this.desk = createCommandDesk(this.#options());
  }

  /** The agent ends here and starts again on what it has stored. */
  restart(): void {
    this.desk = createCommandDesk(this.#options());
  }

  configure(document: ConfigDocument): void {
    this.#document = document;
  }

  control(body: unknown) {
    return this.desk.command(body, 'control');
  }

  view(body: unknown) {
    return this.desk.command(body, 'view');
  }

  events(type?: EventBody['type']): EventBody[] {
    return this.log
      .read(this.log.oldest(), 10_000)
      .entries.map((entry) => JSON.parse(entry.body) as EventBody)
      .filter((event) => !type || event.type === type);
  }

  /** `command_completed c1` and the like. */
  told(): string[] {
    return this.events('command_event').map((event) =>
      event.type === 'command_event' ? `${event.event_type} ${event.data.command_id}` : '',
    );
  }

  #options(): CommandDeskOptions {
    const parsed = parseConfig(this.#document);
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
    const children = Object.keys(parsed.config.profiles);
    return {
      agentId: AGENT_ID,
      clock: this.clock,
      highestTrustedMs: () => this.clock.wall(),
      config: () => {
        const now = parseConfig(this.#document);
        if (!now.ok) throw new Error(JSON.stringify(now.errors));
        return now.config;
      },
      store: {
        commands: this.commands,
        log: this.log,
        commit: (fn) => fn(),
        durable: async () => {
          this.trace.push('durable');
          await this.durable();
        },
      },
      session: {
        command: (command) => this.#session(command),
        settle: async () => ({
          ok: true,
          value: {
            children: Object.fromEntries(children.map((child) => [child, STATUS])),
            today: '2026-01-15',
            timeZone: 'UTC',
            lastTickAwakeMs: 0,
          },
        }),
      },
      closeGames: async (child, game, reason) => {
        await this.beforeClose();
        this.trace.push('close');
        this.effects.push(`close ${child} ${game ?? '*'}${reason ? ` ${reason}` : ''}`);
        return this.reports;
      },
    };
  }

  /** As the router does it: the effect and its answer are one transaction. */
  async #session(command: SessionCommand): Promise<Answer<unknown>> {
    const instead = await this.beforeSession(command);
    if (instead) return instead;
    this.trace.push('session');
    this.effects.push(`${command.command} ${JSON.stringify(command.parameters)} ${command.command_id}`);
    const result = { done: command.command };
    const store = { commands: this.commands, log: this.log, commit: <T>(fn: () => T) => fn() };
    recordOutcome(store, command.command_id, { status: 'success', result });
    return { ok: true, value: result };
  }
}

export const actorDown: Answer<never> = { ok: false, problem: problem('unavailable', 'restarting') };

export const slug = (answer: Answer<unknown>) => (answer.ok ? 'ok' : answer.problem.slug);
export const paths = (answer: Answer<unknown>) =>
  answer.ok ? [] : (answer.problem.errors ?? []).map((e) => e.path).sort();
export const value = <T>(answer: Answer<T>): T => {
  if (!answer.ok) throw new Error(JSON.stringify(answer.problem));
  return answer.value;
};
/** A moment of its wall clock, as ISO 8601. */
export const inMs = (bench: CommandBench, ms: number) => new Date(bench.clock.wall() + ms).toISOString();
/** Lets promises and timers run until the answer is there. */
export async function settled<T>(bench: CommandBench, answer: Promise<T>): Promise<T> {
  let done = false;
  void answer.finally(() => {
    done = true;
  });
  for (let i = 0; i < 10_000 && !done; i++) {
    await Promise.resolve();
    if (i % 20 === 19) bench.clock.advance(50);
  }
  return answer;
}
