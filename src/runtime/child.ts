/** What a supervisor starts and what it tells: child specs as data, and one report shape for all that happens. */
import type { ExitReason } from './actor.ts';
import type { RestartPolicy } from './restart-rule.ts';

/** A child that is up. */
export interface RunningChild {
  /** Settles when it ends by itself or is killed. */
  readonly exited: Promise<ExitReason>;
  /** Settles when it has stopped. */
  stop(): Promise<unknown>;
  /** Given: a child whose beat stays out hangs, and is killed. */
  beat?(): { readonly lastBeatAgoMs: number; readonly lastWorkAgoMs: number };
  /** Ends it at once; what it returns settles always. */
  kill?(reason: string): Promise<unknown>;
}

export interface ChildSpec {
  readonly id: string;
  readonly restart: RestartPolicy;
  /** How long its stop may take before it is killed, ms. */
  readonly shutdownMs: number;
  /** In a crash loop: rest and try again now and then (the default), or give up. */
  readonly onCrashLoop?: 'park' | 'give_up';
  /** Resolves when the child is ready; rejects when it cannot become so. */
  start(incarnation: number): Promise<RunningChild>;
  /** Given: a start that is under way can be ended; it then rejects. */
  abort?(reason: string): void;
}

export interface Report {
  readonly supervisor: string;
  readonly child: string;
  readonly kind:
    | 'started'
    /** Ended unasked, or failed before it was ready. */
    | 'exited'
    | 'restarting'
    | 'hung'
    /** A crash loop: it rests. */
    | 'parked'
    /** A crash loop of a child that must not rest. */
    | 'gave_up'
    | 'stopped'
    /** Its stop took too long or failed. */
    | 'stop_failed';
  /** Why, in words; null where there is nothing to add. */
  readonly reason: string | null;
  readonly incarnation: number;
  /** When it is started again, ms from now; null: not by itself. */
  readonly retryInMs: number | null;
}

/** One actor of `/desktop/status`. */
export interface ChildState {
  /** `restarting`: it waits, for its backoff or for a child before it. */
  readonly state: 'starting' | 'running' | 'restarting' | 'parked' | 'stopped';
  readonly restarts: number;
  /** null: it is not up, or does not beat. */
  readonly last_beat_ms_ago: number | null;
  readonly last_work_ms_ago: number | null;
}
