/**
 * What the layers need from each other, as interfaces: store, clock and desk. app.ts wires the real ones, tests
 * give small fakes. Types only.
 */
import type { Command, CommandAnswer } from './commands.ts';
import type { EventBody, Explanation, SessionData } from './events.ts';
import type { ConfirmBody } from './http.ts';
import type { GameProcess, LedgerPatch, LedgerSnapshot, UsageRow } from './messages.ts';
import type { Gap, LogEntry, LogPage, Position } from './position.ts';
import type { Problem } from './problems.ts';

/** Time as a parameter. All values in ms. */
export interface Clock {
  /** Runs while the machine is awake; nobody can set it. The awake clock of messages.ts. */
  monotonic(): number;
  /** Trusted wall time: epoch ms that a step of the system clock does not move (contract T1). */
  wall(): number;
  /** Calls `fn` once after `ms`; returns its stop. */
  after(ms: number, fn: () => void): () => void;
}

/** For what looks now and then. */
export interface TickingClock extends Clock {
  /** Calls `fn` on every n-th (left out: every) whole second, together with all else that does; returns its stop. */
  everySecond(fn: () => void, n?: number): () => void;
}

// ── store ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** The event log (contract E5, D1, D4, D5, D7). */
export interface EventLog {
  /**
   * Appends in one transaction (joins `Store.commit` when inside one) and returns what was given offsets. With a
   * full disk the events wait unsent in memory (D10) and the returned list is empty.
   */
  append(events: readonly EventBody[]): readonly LogEntry[];
  /** What follows `after`: at most `limit` events and about 1 MiB, of one epoch. An unknown epoch reads from the oldest. */
  read(after: Position, limit: number): LogPage;
  /** Like read, for one type only and without gaps: what of it follows a position. */
  readType(after: Position, type: EventBody['type'], limit: number): readonly LogEntry[];
  count(after: Position, type?: EventBody['type']): number;
  /** The current epoch and its kept offsets; with nothing kept `firstOffset` is `lastOffset + 1`. */
  ends(): { readonly epoch: string; readonly firstOffset: number; readonly lastOffset: number };
  /** Before the oldest event kept. */
  oldest(): Position;
  latest(): Position;
  /** -1, 0, 1 in the log's order; an unknown epoch stands before everything. */
  compare(a: Position, b: Position): number;
  /** `known`: an epoch of this log and an offset that was given; `ahead`: an offset never given; `unknown`: no such epoch. */
  locate(position: Position): 'known' | 'ahead' | 'unknown';
  /** The first gap between `after` and now, if one is known without reading everything. */
  nextGap(after: Position): Gap | null;
  /** Called after each commit that appended; returns its stop. Listeners must not throw. */
  onAppend(listener: () => void): () => void;
}

/** What is remembered of a client (contract H1, D8). */
export interface ClientRecord {
  readonly clientId: string;
  /** Acknowledged up to here; null: nothing yet. */
  readonly cursor: Position | null;
  /** Where it goes on as long as nothing is acknowledged: before the oldest event kept when it was first seen. */
  readonly base: Position;
  /** Everything after this was certainly never sent to it; at or before: may have been. */
  readonly sent: Position | null;
  readonly seenMs: number;
}

export interface ClientStore {
  get(clientId: string): ClientRecord | null;
  /** The record, made if new, and seen now; null when eight are remembered already and none can be forgotten (409). */
  open(clientId: string): ClientRecord | null;
  /** Moves the cursor forward, never back; returns where it stands now. */
  acknowledge(clientId: string, to: Position): Position;
  /** Events up to here may have been sent. Durable lazily: after a crash everything kept counts as sent. */
  markSent(clientId: string, to: Position): void;
  list(): readonly ClientRecord[];
}

/** Sessions, usage and the session actor's state. */
export interface Ledger {
  load(): LedgerSnapshot;
  /** One of its state keys; null: there is none. */
  state(key: string): unknown;
  apply(patch: LedgerPatch): void;
  session(sessionId: string): SessionData | null;
  /** Usage rows and sessions of these days (inclusive); child null: all. */
  history(
    child: string | null,
    fromDay: string,
    toDay: string,
  ): {
    readonly usage: readonly UsageRow[];
    readonly sessions: readonly SessionData[];
  };
}

/** How far an ended session is on its way to Firebase (contract H3). */
export interface SyncState {
  readonly sessionId: string;
  readonly confirmed: boolean;
  /** How often it was asked for again after `success:false`. */
  readonly asks: number;
  /** When to ask next, trusted wall ms; null: nothing is due. */
  readonly askAtMs: number | null;
}

export interface SyncStore {
  state(sessionId: string): SyncState | null;
  put(state: SyncState): void;
  /** Ended sessions not yet confirmed, oldest first. */
  unconfirmed(limit: number): readonly SessionData[];
  countUnconfirmed(): number;
  /** Unconfirmed sessions that will be asked for again. */
  due(): readonly SyncState[];
}

/** A command as it is kept for 30 days (contract K2). */
export interface CommandRecord {
  readonly commandId: string;
  /** A hash over what was asked, so that the same id with another body is told apart. */
  readonly bodyHash: string;
  readonly command: Command;
  readonly acceptedMs: number;
  /** null: accepted and not finished, carried out again or reported after a restart. */
  readonly answer: CommandAnswer | null;
}

export interface CommandStore {
  get(commandId: string): CommandRecord | null;
  /** Written before it is carried out. */
  accept(record: CommandRecord): void;
  finish(commandId: string, answer: CommandAnswer): void;
  forget(commandId: string): void;
  pending(): readonly CommandRecord[];
}

/** A game process whose start was told and whose stop was not: what the next run must not tell again (contract E1). */
export interface ToldProcess {
  readonly process: GameProcess;
  readonly child: string | null;
  /** ISO 8601, as it was told. */
  readonly startedAt: string;
  readonly found: boolean;
  /** Set when the agent is about to close it: how its stop will be told. */
  readonly closing: 'limit' | 'pause' | 'command' | null;
  /** And why, where a rule asks for it. */
  readonly why?: Explanation;
  /** It was told as stopped, since it is another child's now, and plays on: its start for that one is still to be told. */
  readonly released?: true;
  /** The boot in which it was told: no session of another boot plays on. */
  readonly bootId?: string;
}

/** A play whose stop was told, and of whose end the session actor has not said that it took it in. */
export interface EndedProcess extends ToldProcess {
  /** Awake clock; null: nobody saw it. */
  readonly endedAwakeMs: number | null;
  readonly bootId: string;
}

export interface ToldStore {
  put(told: ToldProcess): void;
  remove(pid: number, startKey: string): void;
  all(): readonly ToldProcess[];
  /** In a row of its own; `put` leaves one in the row of its process, which it held until then. */
  putEnded(ended: EndedProcess): void;
  removeEnded(ended: EndedProcess): void;
  /** Oldest first. */
  ended(): readonly EndedProcess[];
}

/** Small values that outlive a run, by key. */
export interface MetaStore {
  get(key: string): string | null;
  set(key: string, value: string): void;
}

export interface Store {
  readonly log: EventLog;
  readonly clients: ClientStore;
  readonly ledger: Ledger;
  readonly sync: SyncStore;
  readonly commands: CommandStore;
  readonly told: ToldStore;
  readonly meta: MetaStore;
  /** What the check at the start found: told as agent events once the log stands. */
  readonly findings: readonly EventBody[];
  /** Runs `fn` in one transaction; append listeners are called after it. Nested calls join. */
  commit<T>(fn: () => T): T;
  /** Settles when everything committed so far is on the disk (contract D5). Rejects when the disk refuses. */
  durable(): Promise<void>;
  health(): StoreHealth;
  /** Drops events, sessions and results past their retention; called now and then. */
  prune(retention: { readonly max_events: number; readonly max_days: number }): void;
  /** Checkpoints, writes the clean-stop mark, closes. */
  close(): Promise<void>;
}

export interface StoreHealth {
  readonly ok: boolean;
  /** Commits that are not yet known to be on the disk. */
  readonly unsynced: number;
  /** Events that wait in memory because the disk is full. */
  readonly waiting: number;
  readonly lastSyncMonotonicMs: number | null;
  /** Since when the oldest of `unsynced` waits; null: none does. */
  readonly unsyncedSinceMonotonicMs: number | null;
  readonly reason: string | null;
}

// ── desk: what the transport asks of the agent ────────────────────────────────────────────────────────────────

/** What a token allows: `view` looks and acknowledges, `control` also commands. */
export type Role = 'view' | 'control';

export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: Problem };

export interface AgentStatus {
  readonly agent: Readonly<Record<string, unknown>>;
  readonly children: Readonly<Record<string, unknown>>;
}

/** The agent behind the server: everything but the log that a route or a frame can ask for. */
export interface AgentDesk {
  readonly agentId: string;
  readonly version: string;
  health(): { readonly status: 'healthy' | 'degraded'; readonly reasons: readonly string[] };
  /** `agent` and `children` of /desktop/status. */
  status(): Promise<AgentStatus>;
  /** Contract section 7: `body` is the parsed JSON of a request or of a frame's payload. */
  command(body: unknown, role: Role): Promise<Answer<CommandAnswer>>;
  confirm(body: ConfirmBody): Answer<{ session_id: string; confirmed: boolean; already: boolean }>;
  usage(query: {
    child?: string | undefined;
    from?: string | undefined;
    to?: string | undefined;
  }): Promise<Answer<{ time_zone: string; days: readonly unknown[] }>>;
}
