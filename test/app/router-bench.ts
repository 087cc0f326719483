/** The router over stores in memory, and what the actors say to it. */
import { agentEvent } from '../../src/app/agent-event.ts';
import type { Presence } from '../../src/app/presence.ts';
import { createRouter, type RouterOptions } from '../../src/app/router.ts';
import { isEnded } from '../../src/app/unheard-stops.ts';
import type { CloseReport } from '../../src/protocol/commands.ts';
import { type Config, DEFAULT_CONFIG } from '../../src/protocol/config.ts';
import type {
  CloseResult,
  CloseTask,
  FromSession,
  GameProcess,
  HeardBySession,
  PlayedProcess,
} from '../../src/protocol/messages.ts';
import type { EndedProcess, Store, ToldProcess } from '../../src/protocol/ports.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { MemoryLog } from '../helpers/memory-store.ts';

type Outcome = CloseReport['outcome'];
/** What the executor says, but for the process. */
export type Answer = Pick<CloseResult, 'outcome'> & Partial<CloseResult>;

export function setUp(
  told: ToldProcess[] = [],
  outcome: Outcome | (() => Outcome | Answer) = 'closed',
  config: () => Config = () => DEFAULT_CONFIG,
) {
  const clock = Object.assign(new FakeClock(), {
    biases: [] as number[],
    setBias(this: { biases: number[] }, b: number) {
      this.biases.push(b);
    },
    keepIn() {},
  });
  const log = new MemoryLog();
  /** As in the store: a told process by its pid, and beside it what ended. */
  const rows = new Map<number | string, ToldProcess>();
  const endedKey = ({ process, endedAwakeMs }: EndedProcess) => `${process.pid} ${endedAwakeMs}`;
  for (const row of told) {
    const { pid } = row.process;
    rows.set(isEnded(row) && rows.has(pid) ? endedKey(row) : pid, row);
  }
  const running = () => [...rows.values()].filter((row) => !isEnded(row));
  const ended = () => [...rows.values()].filter(isEnded);
  const toSession: HeardBySession[] = [];
  /** How many messages that took. */
  let posts = 0;
  const tasks: CloseTask[] = [];
  const order: string[] = [];
  const store = {
    log,
    told: {
      put: (row: ToldProcess) => void rows.set(row.process.pid, row),
      remove: (pid: number) => void rows.delete(pid),
      all: running,
      putEnded: (row: EndedProcess) => void rows.set(endedKey(row), row),
      removeEnded: (row: EndedProcess) => void rows.delete(endedKey(row)),
      ended,
    },
    ledger: { apply: () => void order.push('ledger') },
    commands: { get: () => null },
    commit: <T>(fn: () => T) => fn(),
  } as unknown as Store;
  const warnings: object[] = [];
  /** What the system says of a process; of the others nothing. */
  const presence = new Map<number, Presence>();
  const options: RouterOptions = {
    store,
    clock,
    bootId: 'boot',
    config,
    postToSession(message) {
      posts += 1;
      toSession.push(...(message.type === 'several' ? message.messages : [message]));
    },
    close: async (task) => {
      tasks.push(task);
      const { pid, name } = task.target;
      const answer = typeof outcome === 'function' ? outcome() : outcome;
      return { pid, name, waited_ms: 1, ...(typeof answer === 'string' ? { outcome: answer } : answer) };
    },
    presence: ({ pid }) => presence.get(pid) ?? 'unknown',
    log: { info: () => {}, warn: (fields) => void warnings.push(fields) },
  };
  const router = createRouter(options);
  const events = () =>
    log.read({ epoch: log.ends().epoch, offset: 0 }, 500).entries.map((entry) => JSON.parse(entry.body));
  const kinds = () => events().map((e) => e.event_type ?? e.type);
  return {
    router,
    clock,
    events,
    kinds,
    rows,
    running,
    ended,
    toSession,
    posts: () => posts,
    presence,
    tasks,
    warnings,
  };
}

export function player(pid: number, over: Partial<GameProcess> = {}): GameProcess {
  return {
    pid,
    startKey: `boot:${pid}`,
    game: 'roblox',
    name: 'RobloxPlayerBeta.exe',
    path: '/games/RobloxPlayerBeta.exe',
    command: 'RobloxPlayerBeta.exe',
    user: 'kim',
    startedAwakeMs: 999_000,
    execution: 'e1',
    ...over,
  };
}

/** What the session actor is told of it. */
export function played(pid: number): PlayedProcess {
  const { startKey, game, name, startedAwakeMs } = player(pid);
  return { pid, startKey, game, name, startedAwakeMs };
}

export const identity = (pid: number) => ({ pid, startKey: `boot:${pid}` });
export const toldRow = (pid: number, over: Partial<ToldProcess> = {}): ToldProcess => ({
  process: player(pid),
  child: 'default_child',
  startedAt: '2026-01-15T15:00:00.000Z',
  found: false,
  closing: null,
  ...over,
});

/** An output of the session actor that wants the process closed. */
export const closeOrder = (cause: 'day' | 'pause', pid: number): FromSession => ({
  type: 'session.output',
  events: [],
  ledger: { usage: [], sessions: [], state: {} },
  closes: [
    {
      ticket: 't1',
      child: 'default_child',
      game: 'roblox',
      cause,
      why: { rule: cause, sentence: 'time is up' },
      targets: [identity(pid)],
    },
  ],
  started: [],
  stopped: [],
  trustedBiasMs: 5,
  command: null,
});

/** What the session actor answers when it has taken in the start of a process. */
export const tookIn = (pid: number): FromSession => ({
  ...closeOrder('day', pid),
  events: [agentEvent('agent_recovered', 'stands for session_started')],
  closes: [],
  started: [identity(pid)],
});
