/**
 * The words of the actor toolkit: what runs inside a worker thread and what main holds of it. The shells are
 * host.ts (inside) and handle.ts (outside). Nothing here knows of games.
 */

/** The functions an actor answers, by name. Arguments and results are structured-cloneable. */
// biome-ignore lint/suspicious/noExplicitAny: the bound of a generic over function types; no value is ever `any`
export type CallMap<T> = { [K in keyof T]: (...args: any[]) => unknown };

/** What an actor's code is given inside its thread. */
export interface ActorHost<Init, Out> {
  readonly init: Init;
  /** Posts to main. One way: whoever wants an answer makes a call. */
  post(message: Out): void;
  /**
   * Marks that real work was done now (a scan, a limit tick), and when the next is due at the latest: work that is
   * overdue decides health, not the heartbeat. Without `nextInMs` none is due until this is called again.
   */
  worked(nextInMs?: number): void;
  /** In the midst of work that takes long: the thread lives. Between two pieces of work it beats by itself. */
  beat(): void;
}

/** What an actor is, inside its thread. */
export interface Actor<In, Calls extends CallMap<Calls>> {
  receive(message: In): void;
  readonly calls: Calls;
  /** Asked to end: releases what it holds. The thread ends when this settles. */
  stop(): void | Promise<void>;
}

/** An error as it crosses a thread. */
export interface ErrorData {
  readonly message: string;
  /** The chain of causes, nearest first, joined by `: `. */
  readonly cause?: string;
}

/** How a thread ended. */
export type ExitReason =
  /** It was asked to. */
  | { readonly kind: 'stopped' }
  /** By itself, unasked. */
  | { readonly kind: 'ended'; readonly code: number }
  | ({ readonly kind: 'crashed' } & ErrorData)
  | { readonly kind: 'out_of_memory'; readonly message: string }
  /** It failed, ended, or ran out of time before it was ready. */
  | ({ readonly kind: 'never_ready' } & ErrorData)
  /** Main ended it: a hang, a full mailbox, a shutdown that took too long. */
  | { readonly kind: 'killed'; readonly reason: string }
  /** Killed, and not even terminate() ended it: a native call holds the thread. It is deaf and mute from here on. */
  | { readonly kind: 'abandoned'; readonly reason: string };

/** Why a call has no value. */
export type CallFailure =
  | { readonly kind: 'deadline'; readonly afterMs: number }
  | { readonly kind: 'down'; readonly reason: string }
  | ({ readonly kind: 'threw' } & ErrorData)
  /** Not even sent: too many calls wait already, or this one has killed the actor twice. */
  | { readonly kind: 'refused'; readonly reason: 'busy' | 'set_aside' };

export type CallResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: CallFailure };

/** What main holds of an actor's thread. */
export interface ActorHandle<In, Calls extends CallMap<Calls>> {
  readonly id: string;
  /** Which life of the actor this is, from 1. */
  readonly incarnation: number;
  post(message: In): void;
  /** Settles always: value, deadline, or down. */
  call<K extends keyof Calls & string>(
    name: K,
    args: Parameters<Calls[K]>,
    deadlineMs?: number,
  ): Promise<CallResult<Awaited<ReturnType<Calls[K]>>>>;
}
