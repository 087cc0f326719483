/** What outlives a kill of the agent: the log, the told processes, the ledger, the commands. All of it in memory, each commit whole. */
import { isEnded } from '../../../src/app/unheard-stops.ts';
import type { EventBody, SessionData } from '../../../src/protocol/events.ts';
import type { LedgerPatch, LedgerSnapshot, UsageRow } from '../../../src/protocol/messages.ts';
import type { EndedProcess, Store, ToldProcess } from '../../../src/protocol/ports.ts';
import { MemoryCommands } from '../../helpers/command-bench.ts';
import { MemoryLog } from '../../helpers/memory-store.ts';

/** An event as it was appended, and when, awake clock. */
export interface Entry {
  readonly atMs: number;
  readonly event: EventBody;
}

export class Disk {
  readonly entries: Entry[] = [];
  readonly commands = new MemoryCommands();
  readonly usage = new Map<string, UsageRow>();
  readonly sessions = new Map<string, SessionData>();
  /** Usage that a patch would have made less. */
  readonly shrunk: string[] = [];
  /** The clock's bias, as the agent keeps it over its end. */
  biasMs: number | null = null;
  readonly #told = new Map<string, string>();
  readonly #state = new Map<string, string>();
  readonly #log = new MemoryLog();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** The ports of the store, as one run of the agent opens them. */
  open(): Store {
    const log = {
      append: (events: readonly EventBody[]) => {
        for (const event of events) this.entries.push({ atMs: this.#nowMs(), event: structuredClone(event) });
        return this.#log.append(events);
      },
    };
    const told = {
      put: (row: ToldProcess) => void this.#told.set(keyOf(row.process), JSON.stringify(row)),
      remove: (pid: number, startKey: string) => void this.#told.delete(keyOf({ pid, startKey })),
      all: () => this.#rows().filter((row) => !isEnded(row)),
      putEnded: (row: EndedProcess) => void this.#told.set(endedKeyOf(row), JSON.stringify(row)),
      removeEnded: (row: EndedProcess) => void this.#told.delete(endedKeyOf(row)),
      ended: () => this.#rows().filter(isEnded),
    };
    const ledger = { load: () => this.#load(), apply: (patch: LedgerPatch) => this.#apply(patch) };
    const parts = { log, told, ledger, commands: this.commands, durable: async () => {} };
    return { ...parts, commit: <T>(fn: () => T) => fn() } as unknown as Store;
  }

  #rows(): ToldProcess[] {
    return [...this.#told.values()].map((row) => JSON.parse(row) as ToldProcess);
  }

  #load(): LedgerSnapshot {
    const state = [...this.#state].map(([key, value]) => [key, JSON.parse(value)] as const);
    return structuredClone({ usage: [...this.usage.values()], state: Object.fromEntries(state) });
  }

  #apply({ usage, sessions, state }: LedgerPatch): void {
    for (const row of usage) {
      const key = `${row.child} ${row.day} ${row.game}`;
      const usedMs = this.usage.get(key)?.usedMs ?? 0;
      if (row.usedMs < usedMs) this.shrunk.push(`${key}: ${usedMs} to ${row.usedMs}`);
      this.usage.set(key, { ...row, usedMs: Math.max(row.usedMs, usedMs) });
    }
    for (const session of sessions) this.sessions.set(session.session_id, structuredClone(session));
    for (const [key, value] of Object.entries(state)) {
      if (value === null) this.#state.delete(key);
      else this.#state.set(key, JSON.stringify(value));
    }
  }
}

const keyOf = ({ pid, startKey }: { readonly pid: number; readonly startKey: string }) =>
  `${pid} ${startKey}`;
const endedKeyOf = (row: EndedProcess) => `${keyOf(row.process)} ${row.endedAwakeMs} ${row.child}`;
