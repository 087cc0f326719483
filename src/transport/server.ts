/**
 * The one server of the agent, on the main thread: puts the front door, the routes, the WebSocket and the long
 * poll behind one port on both loopback addresses. What each of them decides stands in its own file.
 */
import { EXIT, UserError } from '../protocol/exit-codes.ts';
import { HTTP_LIMITS } from '../protocol/http.ts';
import type { AgentDesk, ClientStore, EventLog, Role, SyncStore, TickingClock } from '../protocol/ports.ts';
import { type Problem, problem } from '../protocol/problems.ts';
import { ClientSession, type SessionContext, type SessionStart } from './client-session.ts';
import { type Admission, admit, type Cors, corsFor, type DoorPolicy, originIsAllowed } from './front-door.ts';
import {
  type IncomingRequest,
  problemReply,
  type Reply,
  type RequestHead,
  withHeaders,
} from './http-message.ts';
import { Hub } from './hub.ts';
import { listenLoopback } from './listen.ts';
import { withPassingClient } from './passing-client.ts';
import { PollAdapter } from './poll-adapter.ts';
import { route } from './router.ts';
import { connectedClients } from './routes/status.ts';
import { routeTable } from './routes/table.ts';
import { roleOf } from './tokens.ts';
import { Turns } from './turns.ts';
import { type AppHandlers, createApp, listenOn, loadNative } from './uws.ts';
import { WrongTokens } from './wrong-tokens.ts';
import { decideUpgrade } from './ws-adapter.ts';

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
  readonly clock: TickingClock;
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
  /**
   * Closes with 4501 every socket whose token does not hold now, with 4005 one that may do more than its token allows;
   * a poll that waits ends when a token has changed.
   */
  disconnectWrongTokens(): void;
  /** Ends what a reload shuts out, a transport or a page: sockets with 4005, polls that wait with an empty answer. */
  closeShutOut(): void;
  /** Lets go of what is held for clients: their sockets close with 4005, and they come back and resume. */
  shed(): void;
  /** Listeners closed, polls answered, clients told 4005; about 0.4 s at most. */
  stop(): Promise<void>;
}

/** How long `stop` gives answers and close frames to leave, ms. */
const STOP_GRACE_MS = 300;
const LOOPBACK_NAMES: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '::1']);
const STOPPING = problem('stopping', 'The agent is stopping.', { retryAfterMs: 1_000 });

/** Starts the server. Throws `UserError` (69) when it cannot serve: a port taken, or uWebSockets.js not loading. */
export async function startServer(given: ServerOptions): Promise<RunningServer> {
  if (!LOOPBACK_NAMES.has(given.host)) {
    throw new UserError(EXIT.usage, `The host must be localhost, 127.0.0.1 or ::1, not "${given.host}".`);
  }
  const options = { ...given, clients: withPassingClient(given.clients, given.log, given.clock) };
  const { log, clients, clock, desk, transports } = options;
  const native = await loadNative();
  const state: ServerState = { port: options.port, stopping: false, pending: 0 };
  const failed = (where: string, error: unknown): void =>
    options.logger.error({ err: error, where }, 'a handler of the server failed');

  const hub = new Hub();
  const polls = new PollAdapter({
    log,
    clients,
    clock,
    cursorMoved: (clientId, from, to) => hub.cursorMoved(clientId, from, to),
  });
  const sessions: SessionContext = {
    log,
    clients,
    desk,
    clock,
    identified: (session) => hub.identified(session),
    closed: (session) => hub.remove(session),
    failed,
  };
  const routes = routeTable({ ...options, port: () => state.port, hub, polls });
  const turns = new Turns({
    now: () => clock.monotonic(),
    nextTurn: setImmediate,
    // A tick that is asked for by a microtask runs when there are none left.
    afterwards: (fn) => queueMicrotask(() => process.nextTick(fn)),
  });
  const app = createApp(native, {
    ...frontHandlers(options, state, hub, (request, role) => route(request, role, routes, clock, turns)),
    open(socket, start) {
      const session = new ClientSession(socket, start, sessions);
      hub.add(session);
      session.begin();
      return session;
    },
    failed,
  });

  const listeners = await listenLoopback(listenOn(native, app), options.port).catch((error: unknown) => {
    app.close();
    throw error;
  });
  state.port = listeners.port;
  const stopListening = log.onAppend(() => {
    hub.wake();
    polls.wake();
  });

  async function shutDown(): Promise<void> {
    state.stopping = true;
    listeners.close();
    const waitsForNobody = hub.sockets === 0 && state.pending === 0;
    polls.stop();
    hub.closeAll(4005);
    stopListening();
    // close() resets whatever is still open, so what was just written gets a moment to leave.
    if (!waitsForNobody) await new Promise<void>((resolve) => clock.after(STOP_GRACE_MS, resolve));
    app.close();
  }
  /** Polls that wait for events, and what waits for its turn. */
  function endWaiting(): void {
    polls.endWaiting();
    turns.sendAway();
  }
  let stopped: Promise<void> | null = null;
  let tokens = tokensOf(options.security());
  let origins = options.security().allowedOrigins;

  return {
    port: state.port,
    addresses: listeners.addresses,
    connectedClients: () => connectedClients({ hub, polls, transports }).size,
    disconnectWrongTokens() {
      const security = options.security();
      const sameTokens = tokensOf(security) === tokens;
      tokens = tokensOf(security);
      if (!security.requireToken) return;
      const roleNow = ({ token }: SessionStart): Role | null =>
        token === null ? null : roleOf(token, security);
      hub.closeAll(4501, (session) => roleNow(session.start) === null);
      // It came while no token was required: it comes back as what its token makes it.
      hub.closeAll(4005, (session) => roleNow(session.start) !== session.start.role);
      // With which token a poll came is not known any more.
      if (!sameTokens) endWaiting();
    },
    closeShutOut() {
      const door = { ...options.security(), port: state.port };
      const mayStay = ({ origin }: SessionStart): boolean =>
        transports().websocketEnabled && (origin === null || originIsAllowed([origin], door));
      hub.closeAll(4005, (session) => !mayStay(session.start));
      const allOriginsStay = origins.every((origin) => door.allowedOrigins.includes(origin));
      origins = door.allowedOrigins;
      // From which page a poll came is not known any more.
      if (!transports().pollingEnabled || !allOriginsStay) endWaiting();
    },
    shed: () => hub.closeAll(4005),
    stop() {
      stopped ??= shutDown();
      return stopped;
    },
  };
}

interface ServerState {
  /** The port in use; until it is known, the one that was asked for. */
  port: number;
  stopping: boolean;
  /** Requests without an answer yet. */
  pending: number;
}

type Enter = (request: IncomingRequest, role: Role | null) => Promise<Reply>;

/** The front door before requests and upgrades: nothing behind it is reached without passing `admit`. */
function frontHandlers(
  options: ServerOptions,
  state: ServerState,
  hub: Hub,
  enter: Enter,
): Pick<AppHandlers<SessionStart>, 'request' | 'upgrade'> {
  const wrongTokens = new WrongTokens(HTTP_LIMITS.wrongTokensPerMinute);
  const door = (): DoorPolicy => ({ ...options.security(), port: state.port });
  const admitted = (head: RequestHead, purpose: 'http' | 'upgrade'): Admission =>
    admit(head, purpose, door(), wrongTokens, options.clock.monotonic());
  const refused = (reason: Problem, cors: Cors): Reply => {
    options.logger.debug({ problem: reason.slug }, 'refused at the front door');
    return problemReply(reason, '/', reason.slug === 'unauthorized' ? { ...cors, ...CHALLENGE } : cors);
  };

  return {
    request(request) {
      const admission = admitted(request.head, 'http');
      if (admission.kind === 'preflight')
        return { status: 204, headers: { ...NO_STORE, ...admission.cors }, body: '' };
      if (admission.kind === 'refuse') return refused(admission.problem, admission.cors);
      if (state.stopping) return refused(STOPPING, admission.cors);
      state.pending += 1;
      return (
        enter(request, admission.role)
          // As of now: while it waited its page may have been shut out, whose browser then keeps the answer from it.
          .then((reply) => withHeaders(reply, corsFor(request.head, door()) ?? {}))
          .finally(() => {
            state.pending -= 1;
          })
      );
    },
    upgrade(head) {
      const admission = admitted(head, 'upgrade');
      if (admission.kind === 'refuse') {
        return { kind: 'refuse', reply: refused(admission.problem, admission.cors) };
      }
      const decision = decideUpgrade(head, admission.kind === 'enter' ? admission.role : null, {
        websocketEnabled: options.transports().websocketEnabled,
        openSockets: hub.sockets,
        stopping: state.stopping,
        clients: options.clients,
      });
      if (decision.ok) {
        return { kind: 'accept', subprotocol: decision.subprotocol, accepted: decision.start };
      }
      const reply = problemReply(decision.problem, head.path, decision.headers);
      return { kind: 'refuse', reply: withHeaders(reply, admission.cors) };
    },
  };
}

/** Which tokens open something now, as one text to compare. */
function tokensOf({ requireToken, viewToken, controlToken }: SecurityPolicy): string {
  return [requireToken, viewToken, controlToken].join(' ');
}

const CHALLENGE = { 'WWW-Authenticate': 'Bearer' } as const;
const NO_STORE = { 'Cache-Control': 'no-store' } as const;
