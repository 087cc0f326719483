/** What crosses between the two shells of an actor, host.ts and handle.ts. Nobody else sees it. */
import type { Endpoint } from 'comlink';
import type { CallResult, ErrorData } from './actor.ts';

/** A thread's workerData. */
export interface StartData {
  readonly init: unknown;
  readonly vitals: SharedArrayBuffer;
  /** Given: this actor watches the main thread. */
  readonly mainBeat: SharedArrayBuffer | null;
}

/** The one function behind comlink; `seq` numbers what main sent. */
export type Dispatch = (seq: number, name: string, args: readonly unknown[]) => Promise<CallResult<unknown>>;

export type ToThread =
  | { readonly seq: number; readonly message: unknown }
  | { readonly call: unknown }
  /** Behind everything posted before: what waits is worked off first. */
  | { readonly control: 'stop' };

export type FromThread =
  | { readonly message: unknown }
  | { readonly call: unknown }
  | { readonly control: 'ready' | 'stopped' };

/**
 * An endpoint for comlink that shares the thread's port with the messages: on a port of its own a call could
 * overtake a message posted before it, and an answer the output that belongs to it.
 */
export function callEndpoint(send: (sent: { readonly call: unknown }) => void): {
  readonly endpoint: Endpoint;
  deliver(call: unknown): void;
} {
  let listener: ((event: { data: unknown }) => void) | null = null;
  return {
    endpoint: {
      postMessage: (call: unknown) => send({ call }),
      addEventListener: (_type: string, added: typeof listener) => {
        listener = added;
      },
      removeEventListener: () => {
        listener = null;
      },
    } as Endpoint,
    deliver: (call) => listener?.({ data: call }),
  };
}

/** An error, or whatever was thrown, as data. */
export function errorData(thrown: unknown): ErrorData {
  if (!(thrown instanceof Error)) return { message: String(thrown) };
  const causes: string[] = [];
  // Eight: a chain can be circular.
  for (let cause = thrown.cause; cause !== undefined && causes.length < 8; ) {
    causes.push(cause instanceof Error ? cause.message : String(cause));
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return causes.length === 0
    ? { message: thrown.message }
    : { message: thrown.message, cause: causes.join(': ') };
}
