/**
 * What the client's core needs from the platform it runs on, and the types a caller meets. Types only: Node's side
 * stands in node.ts, a browser's in browser.ts, fakes in the tests.
 */
import type { DeliveredEvent } from '../protocol/events.ts';
import type { Clock } from '../protocol/ports.ts';
import type { Gap, Position } from '../protocol/position.ts';

/** Where the agent is and what opens it. */
export interface Endpoint {
  /** `http://127.0.0.1:8001`, without a trailing slash. */
  readonly url: string;
  readonly token: string;
}

/** An agent on this machine, found by its data directory (Node only), or one at a known place. */
export type Target = { readonly dataDir: string } | Endpoint;

/** Asked before every attempt, since a restarted agent may have another port. Rejects when no agent runs. */
export type ResolveEndpoint = () => Promise<Endpoint>;

export interface SocketHandlers {
  onOpen(): void;
  onMessage(text: string): void;
  /** Called once, whatever ended it; 1006 when there was no close frame or no connection at all. */
  onClose(code: number, reason: string): void;
}

/** A WebSocket reduced to what the client uses. */
export interface ClientSocket {
  send(text: string): void;
  close(): void;
}

/** Throws or calls back later, never before it has returned. */
export type OpenSocket = (endpoint: Endpoint, handlers: SocketHandlers) => ClientSocket;

/** The part of the standard `fetch` that is used. */
export type Fetch = (
  url: string,
  init: {
    readonly method: string;
    readonly headers: Record<string, string>;
    readonly body?: string;
    readonly signal: AbortSignal;
  },
) => Promise<{ readonly status: number; text(): Promise<string> }>;

/**
 * Where a client keeps how far it came: the highest acknowledged offset of each epoch, the newest epoch last, at
 * most eight. `save` settles when it will survive a crash.
 */
export interface PositionStore {
  load(): Promise<readonly Position[]>;
  save(positions: readonly Position[]): Promise<void>;
}

export interface Platform {
  readonly resolve: ResolveEndpoint;
  readonly openSocket: OpenSocket;
  readonly fetch: Fetch;
  readonly positions: PositionStore;
  readonly clock: Pick<Clock, 'monotonic' | 'after'>;
  /** 0 to 1, for jitter. */
  readonly random: () => number;
}

export interface ClientOptions {
  /** 1 to 64 of `A-Za-z0-9._-`: the agent keeps a cursor under this name. */
  readonly clientId: string;
  readonly clientVersion?: string;
  /**
   * Events that are gone for good (contract D7), told in their place among the events; a promise is awaited before the
   * position behind the gap is stored. What it throws ends the loop over the events; the next loop tells the gap again.
   */
  readonly onGap?: (gap: Gap) => unknown;
  /** Leave the WebSocket out: polling only. */
  readonly transport?: 'auto' | 'polling';
}

/** An event in the program's hand. `ack()` is `Connection.ack` of it. */
export type ReceivedEvent = DeliveredEvent & { ack(): Promise<void> };

export interface ConnectionState {
  readonly status: 'connecting' | 'connected' | 'waiting' | 'stopped';
  /** What events come over; null when nothing works at the moment. */
  readonly transport: 'websocket' | 'polling' | null;
  /** Why it is not connected, or why it is not on the WebSocket. */
  readonly reason: string | null;
}
