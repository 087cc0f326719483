/**
 * What the threads say to each other, by direction. Plain data, checked by types only: between our own threads
 * nothing is parsed. Times named `…AwakeMs` are on the awake clock (runs while the machine is awake, nobody can
 * set it; CLOCK_MONOTONIC on Linux), in ms since an arbitrary start of this boot.
 */
import type { CloseReport, Command } from './commands.ts';
import type { Config, SourceName } from './config.ts';
import type { EventBody, Explanation, LimitName, SessionData } from './events.ts';
import type { Executing } from './execution.ts';
import type { ChildStatus } from './http-answers.ts';
import type { Problem } from './problems.ts';

/** Who a process is: a pid alone is reused, a pid with its start is not. `startKey` is the platform's, opaque. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startKey: string;
}

/** A process that the configuration calls a game. Path and command line are those by which it was last called so. */
export interface GameProcess extends ProcessIdentity, Executing {
  /** `games[].id` */
  readonly game: string;
  /** The executable's base name as it is told to clients. */
  readonly name: string;
  readonly path: string | null;
  readonly command: string | null;
  /** The account that runs it; null when it could not be resolved. */
  readonly user: string | null;
  /** The latest moment at which it can have started, awake clock: what is charged starts here. */
  readonly startedAwakeMs: number;
}

// ── scanner ───────────────────────────────────────────────────────────────────────────────────────────────────

export type ScannerConfig = Pick<Config, 'games' | 'detection'>;

/** One moment of this boot on two clocks, ms. */
export interface ClockPair {
  /** Stands still while the machine sleeps. */
  readonly awakeMs: number;
  /** Runs on. */
  readonly elapsedMs: number;
}

export interface ScannerInit {
  readonly config: ScannerConfig;
  /** Identifies this boot of the machine: a part of every `startKey`, so that identities survive a restart of the agent. */
  readonly bootId: string;
  /** The clocks of this boot as the run before read them last; null or left out: there was none. */
  readonly lastClocks?: ClockPair | null;
  /** The games that were told as running: one whose file was renamed since is known by nothing else. */
  readonly told?: readonly GameProcess[];
}

export interface ScannerStats {
  readonly source: SourceName;
  readonly tracked: number;
  /** What a reconcile found that events had missed, since the start. */
  readonly missed: number;
  readonly rescans: number;
  readonly overflows: number;
}

export type FromScanner =
  /** The whole truth, sent first after a start and never again: main tells what differs from what it knows. */
  | {
      readonly type: 'processes.snapshot';
      readonly processes: readonly GameProcess[];
      readonly source: SourceName;
      /** Why the sources that were tried before this one did not start. */
      readonly reason?: string;
    }
  | {
      readonly type: 'process.started';
      readonly process: GameProcess;
      /** true: it had been running before anybody could see it start. */
      readonly found: boolean;
    }
  | {
      readonly type: 'process.stopped';
      readonly identity: ProcessIdentity;
      /** When it went, awake clock; null: nobody saw the moment. */
      readonly endedAwakeMs: number | null;
      /** `config`: it runs on, and a reload made it another game or none. */
      readonly how: 'exit' | 'exec' | 'gone' | 'config';
    }
  /** The same process of the same game, executed again or under another path or command line (a title set): nothing to tell, closing needs it. */
  | { readonly type: 'process.changed'; readonly process: GameProcess }
  /** A scan failed: nothing is known, nothing has stopped (contract E3). */
  | { readonly type: 'scan.unknown'; readonly reason: string; readonly failures: number }
  | { readonly type: 'scan.known' }
  | { readonly type: 'source.changed'; readonly source: SourceName; readonly reason: string };

export interface ScannerCalls {
  configure(config: ScannerConfig): void;
  stats(): ScannerStats;
  /** What tracked games use, by pid; on demand only. */
  usage(): Promise<
    readonly { readonly pid: number; readonly cpuPercent: number; readonly rssBytes: number }[]
  >;
}

export type ToScanner = never;

// ── session ───────────────────────────────────────────────────────────────────────────────────────────────────

export type SessionConfig = Pick<Config, 'games' | 'profiles' | 'day' | 'sessions' | 'enforcement'>;

/** What the session actor starts from: what the store kept. */
export interface LedgerSnapshot {
  /** Usage of the last 60 days. */
  readonly usage: readonly UsageRow[];
  /** The actor's own records by key; it alone knows what they mean. */
  readonly state: Readonly<Record<string, unknown>>;
}

/** Charged play of one child, one day, one game; `game` is '' for the child's union over all games. */
export interface UsageRow {
  readonly child: string;
  /** `2026-11-23`, the day of the trusted clock. */
  readonly day: string;
  readonly game: string;
  readonly usedMs: number;
  /** The limit in force that day, extensions included; null: none. */
  readonly limitMinutes: number | null;
}

/** What one step of the session actor wants written, all in the transaction that holds its events. */
export interface LedgerPatch {
  readonly usage: readonly UsageRow[];
  /** Sessions as they stand, by `session_id`. */
  readonly sessions: readonly SessionData[];
  /** null deletes the key. */
  readonly state: Readonly<Record<string, unknown>>;
}

export interface SessionInit {
  readonly config: SessionConfig;
  readonly ledger: LedgerSnapshot;
  /** Where the actor notes the last moment at which it knew that somebody played; left out: nowhere. */
  readonly provenFile?: string;
}

export interface CloseTarget extends ProcessIdentity, Executing {
  readonly name: string;
  /** For the check that it still is the game after an exec, or where it cannot be known whether there was one. */
  readonly path: string | null;
  readonly command: string | null;
}

/** The session actor wants these processes closed; the outcome comes back as `close.report` with the ticket. */
export interface CloseOrder {
  readonly ticket: string;
  readonly child: string;
  readonly game: string;
  readonly cause: LimitName;
  readonly why: Explanation;
  readonly targets: readonly ProcessIdentity[];
}

/** Why a game went, if not by itself: the agent closed it for a limit, a pause or a parent's command; `config`: it runs on as another child's or game's, or as none. */
export type StoppedBy = 'limit' | 'pause' | 'command' | 'config';

/** What the session actor is told of a game process: neither path nor command line, which may be long and of which it makes nothing. */
export type PlayedProcess = Pick<GameProcess, 'pid' | 'startKey' | 'game' | 'name' | 'startedAwakeMs'>;

export type ToSession =
  | HeardBySession
  /** Taken one after the other, and one in the mailbox: in a crowd all that runs and ended is more than it holds. */
  | { readonly type: 'several'; readonly messages: readonly HeardBySession[] };

export type HeardBySession =
  /** All that runs now: the first message after a start, and after the scanner was replaced. */
  | {
      readonly type: 'processes.snapshot';
      readonly processes: readonly { readonly process: PlayedProcess; readonly child: string | null }[];
      /** Up to when it is known, awake clock; left out: to now. */
      readonly atAwakeMs?: number;
      /** Nobody looks at the moment: what started since is not among them. */
      readonly blind?: true;
    }
  | {
      readonly type: 'process.started';
      readonly process: PlayedProcess;
      /** null: no profile names the account, so nothing is limited and no session is kept. */
      readonly child: string | null;
      readonly found: boolean;
    }
  | {
      /** It ended while no session actor lived that could have taken in its stop, or perhaps its start. */
      readonly type: 'process.played';
      readonly process: PlayedProcess;
      readonly child: string | null;
      readonly endedAwakeMs: number | null;
      readonly by?: StoppedBy;
    }
  | {
      readonly type: 'process.stopped';
      readonly identity: ProcessIdentity;
      readonly endedAwakeMs: number | null;
      readonly by?: StoppedBy;
    }
  | { readonly type: 'scan.unknown' }
  | { readonly type: 'scan.known' }
  | { readonly type: 'close.report'; readonly ticket: string; readonly reports: readonly CloseReport[] };

export type FromSession = {
  readonly type: 'session.output';
  readonly events: readonly EventBody[];
  readonly ledger: LedgerPatch;
  readonly closes: readonly CloseOrder[];
  /** Ordered to be closed, and not wanted closed any more: there is time again, or it is no game of this child's now. */
  readonly withdrawn?: readonly ProcessIdentity[];
  /** Processes whose start was taken in: what there is to tell of it stands in `events`. */
  readonly started: readonly ProcessIdentity[];
  /** Stops that were taken in. */
  readonly stopped: readonly ProcessIdentity[];
  /** Trusted wall time = awake clock + this, ms. */
  readonly trustedBiasMs: number;
  /** Set when this output is the effect of a command: its result is stored in the same transaction. */
  readonly command: { readonly commandId: string; readonly result: unknown } | null;
};

export interface SettleResult {
  readonly children: Readonly<Record<string, ChildStatus>>;
  /** The trusted clock's day. */
  readonly today: string;
  /** The zone that days follow, an IANA name. */
  readonly timeZone: string;
  readonly lastTickAwakeMs: number;
}

/** Commands that the session actor carries out. */
export type SessionCommand = Extract<
  Command,
  { command: 'set_time_limit' | 'extend_time' | 'pause' | 'resume' }
>;

export interface SessionCalls {
  configure(config: SessionConfig): void;
  /** Carries it out; its `session.output` (with `command`) is posted before the answer. */
  command(
    command: SessionCommand,
  ): { readonly ok: true; readonly result: unknown } | { readonly ok: false; readonly problem: Problem };
  /** Charges up to now, posts the output, and says how things stand. */
  settle(): SettleResult;
}

// ── executor ──────────────────────────────────────────────────────────────────────────────────────────────────

/** A task for the pool. One task closes one process and those that are part of it. */
export interface CloseTask {
  readonly target: CloseTarget;
  /** How long to wait after asking before forcing, ms (contract K4). */
  readonly waitMs: number;
  /** The pids that this agent may never touch: its own. */
  readonly ownPids: readonly number[];
  /** A flag that all threads see (shared-flag.ts), raised when nobody wants it closed any more: it is not forced, nor asked. Left out: wanted. */
  readonly withdrawn?: SharedArrayBuffer;
}

/** What came of a task. */
export interface CloseResult extends CloseReport {
  /** It was withdrawn in time: nobody was forced. */
  readonly withdrawn?: true;
  /** The process lives, and executes something else than was to be closed: that was not touched (contract K4). */
  readonly goesOn?: true;
}
