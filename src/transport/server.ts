/**
 * The one server of the agent, on the main thread: puts the front door, the routes, the WebSocket and the long
 * poll behind one port on both loopback addresses. What each of them decides stands in its own file.
 */
import type { AgentDesk, ClientStore, Clock, EventLog, SyncStore } from '../protocol/ports.ts';

export interface SecurityPolicy {
  readonly requireToken: boolean;
  readonly viewToken: string;
  readonly controlToken: string;
  readonly allowedOrigins: readonly string[];
}

export interface TransportPolicy {
  readonly websocketEnabled: boolean;
  readonly pollingEnabled: boolean;
  readonly pollIntervalSeconds: number;
}

export interface TransportLogger {
  debug(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface ServerOptions {
  /** One of the loopback names; both loopback addresses are bound whichever it is (contract S1). */
  readonly host: string;
  /** 0 takes a free port, the same on both addresses. */
  readonly port: number;
  readonly log: EventLog;
  readonly clients: ClientStore;
  readonly sync: SyncStore;
  readonly desk: AgentDesk;
  readonly clock: Clock;
  /** Asked on every request, so that a reload or a rotation holds at once. */
  readonly security: () => SecurityPolicy;
  readonly transports: () => TransportPolicy;
  readonly logger: TransportLogger;
}

export interface RunningServer {
  readonly port: number;
  /** What is listened on, `127.0.0.1:8001` and `[::1]:8001`. */
  readonly addresses: readonly string[];
  /** Clients with a socket open, or that polled within three intervals (contract H2). */
  connectedClients(): number;
  /** Closes with 4501 every socket whose token no longer holds. */
  tokenRotated(): void;
  /** Listeners closed, polls answered, clients told 4005; about 0.4 s at most. */
  stop(): Promise<void>;
}

/** Starts the server. Throws `UserError` (69) when it cannot serve: a port taken, or uWebSockets.js not loading. */
export async function startServer(_options: ServerOptions): Promise<RunningServer> {
  throw new Error('not yet');
}
