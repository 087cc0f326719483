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
  /** Marks that real work was done now (a scan, a limit tick): its age decides health, not the heartbeat's. */
  worked(): void;
}

/** What an actor is, inside its thread. */
export interface Actor<In, Calls extends CallMap<Calls>> {
  receive(message: In): void;
  readonly calls: Calls;
  /** Asked to end: releases what it holds. The thread ends when this settles. */
  stop(): void | Promise<void>;
}

/** Why a call has no value. */
export type CallFailure =
  | { readonly kind: 'deadline'; readonly afterMs: number }
  | { readonly kind: 'down'; readonly reason: string }
  | { readonly kind: 'threw'; readonly message: string; readonly cause?: string };

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
