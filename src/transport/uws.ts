/**
 * The only file that touches uWebSockets.js. It turns requests and sockets into plain values and guards every
 * callback, because a throw inside one, a use of a response after its abort or a second answer would end the whole
 * process. What is served is decided by the handlers it is given.
 */
import type { HttpRequest, HttpResponse, TemplatedApp, us_socket_context_t, WebSocket } from 'uWebSockets.js';
import { EXIT, UserError } from '../protocol/exit-codes.ts';
import { WS_LIMITS } from '../protocol/frames.ts';
import { problem } from '../protocol/problems.ts';
import {
  type BodyResult,
  type IncomingRequest,
  problemReply,
  type Reply,
  type RequestHead,
} from './http-message.ts';
import type { ListenOn } from './listen.ts';
import type { Socket, SocketEvents } from './socket.ts';
import { Stalled } from './stalled.ts';
import { Exchange } from './uws-exchange.ts';
import { UwsSocket } from './uws-socket.ts';

/** What the native module offers beside its types: `listen` takes a host together with options. */
export interface Native {
  App(): TemplatedApp;
  us_listen_socket_close(socket: object): void;
  readonly LIBUS_LISTEN_EXCLUSIVE_PORT: number;
}

export type UpgradeVerdict<T> =
  | { readonly kind: 'refuse'; readonly reply: Reply }
  /** `subprotocol` null: none is selected. */
  | { readonly kind: 'accept'; readonly subprotocol: string | null; readonly accepted: T };

export interface AppHandlers<T> {
  request(request: IncomingRequest): Reply | Promise<Reply>;
  upgrade(head: RequestHead): UpgradeVerdict<T>;
  open(socket: Socket, accepted: T): SocketEvents;
  /** A handler threw: a programming error, answered with 500 or a close. */
  failed(where: string, error: unknown): void;
}

interface SocketData<T> {
  readonly accepted: T;
  socket?: UwsSocket;
  events?: SocketEvents;
}

/** Beyond this a send is dropped. The session stops at the first buffered one, so only control frames come near. */
const MAX_BACKPRESSURE_BYTES = 1024 * 1024;
/** Behind the rule of 35 s of silence: frees sockets that were ended and whose peer never reads. */
const IDLE_BACKSTOP_SECONDS = 120;

const INTERNAL = problemReply(problem('internal', 'The agent failed to answer; its log says why.'));

/** Loads the native module; one clear sentence when it does not load on this machine. */
export async function loadNative(): Promise<Native> {
  try {
    const module: { default: unknown } = await import('uWebSockets.js');
    return module.default as Native;
  } catch {
    throw new UserError(
      EXIT.cannotServe,
      `uWebSockets.js does not load under Node ${process.versions.node} on this system: ` +
        'with a glibc older than 2.38 (Debian 12) use Node 20, else Node 20, 22, 24 or 25.',
    );
  }
}

/** An app that serves every path and method through the handlers. It listens to nothing yet. */
export function createApp<T>(native: Native, handlers: AppHandlers<T>): TemplatedApp {
  const app = native.App();
  const stalled = new Stalled();

  function guard(where: string, fn: () => void, onThrow?: () => void): void {
    try {
      fn();
    } catch (error) {
      handlers.failed(where, error);
      try {
        onThrow?.();
      } catch (again) {
        handlers.failed(`${where} (after a failure)`, again);
      }
    }
  }

  function serve(res: HttpResponse, req: HttpRequest): void {
    const exchange = new Exchange(res, stalled, (where, error) => handlers.failed(where, error));
    guard(
      'request',
      () => {
        const head = copyHead(req);
        exchange.method = head.method;
        const request: IncomingRequest = {
          head,
          body: (maxBytes: number): Promise<BodyResult> => exchange.body(head, maxBytes),
          onAbort: (fn) => exchange.onAbort(fn),
        };
        const reply = handlers.request(request);
        if (!(reply instanceof Promise)) return exchange.answer(reply);
        reply
          .catch((error: unknown) => {
            handlers.failed('request', error);
            return INTERNAL;
          })
          .then((settled) => exchange.answer(settled));
      },
      () => exchange.answer(INTERNAL),
    );
  }

  function upgrade(res: HttpResponse, req: HttpRequest, context: us_socket_context_t): void {
    const exchange = new Exchange(res, stalled, (where, error) => handlers.failed(where, error));
    guard(
      'upgrade',
      () => {
        const head = copyHead(req);
        const verdict = handlers.upgrade(head);
        if (verdict.kind === 'refuse') return exchange.answer(verdict.reply);
        const key = req.getHeader('sec-websocket-key');
        const data: SocketData<T> = { accepted: verdict.accepted };
        exchange.release();
        res.cork(() => res.upgrade(data, key, verdict.subprotocol ?? '', '', context));
      },
      () => exchange.answer(INTERNAL),
    );
  }

  /** One callback of an open socket; a throw in it costs this socket, nothing else. */
  function onSocket(where: string, ws: WebSocket<SocketData<T>>, fn: (data: SocketData<T>) => void): void {
    const data = ws.getUserData();
    guard(
      where,
      () => fn(data),
      () => data.socket?.end(1011, 'internal error'),
    );
  }

  app.ws<SocketData<T>>('/*', {
    maxPayloadLength: WS_LIMITS.maxFrameBytes,
    maxBackpressure: MAX_BACKPRESSURE_BYTES,
    idleTimeout: IDLE_BACKSTOP_SECONDS,
    sendPingsAutomatically: false,
    upgrade,
    open: (ws) =>
      onSocket('open', ws, (data) => {
        data.socket = new UwsSocket(ws);
        data.events = handlers.open(data.socket, data.accepted);
      }),
    message: (ws, message, isBinary) =>
      onSocket('message', ws, ({ events }) => {
        if (isBinary) events?.message(null);
        else events?.message(Buffer.from(message).toString('utf8'));
      }),
    pong: (ws, payload) =>
      onSocket('pong', ws, ({ events }) => events?.pong(Buffer.from(payload).toString('latin1'))),
    // The pong goes out by itself; that a client pings is life as well (contract W7).
    ping: (ws) => onSocket('ping', ws, ({ events }) => events?.ping()),
    drain: (ws) => onSocket('drain', ws, ({ events }) => events?.drain()),
    close: (ws, code) =>
      onSocket('close', ws, ({ socket, events }) => {
        socket?.gone();
        events?.closed(code);
      }),
  });
  app.any('/*', serve);
  return app;
}

/** Listens on one address at a time, exclusively: without the option a second process would share the port. */
export function listenOn(native: Native, app: TemplatedApp): ListenOn {
  const listen = app.listen.bind(app) as unknown as ListenWithHost;
  return (address, port) => {
    let bound: object | false = false;
    listen(address, port, native.LIBUS_LISTEN_EXCLUSIVE_PORT, (socket) => {
      bound = socket;
    });
    if (!bound) return false;
    const socket: object = bound;
    return () => native.us_listen_socket_close(socket);
  };
}

/** A form of `listen` that the package's types do not know. */
type ListenWithHost = (
  host: string,
  port: number,
  options: number,
  callback: (socket: object | false) => void,
) => void;

/** Everything a handler may want of a request: `req` itself is gone after the first await. */
function copyHead(req: HttpRequest): RequestHead {
  const headers = new Map<string, string[]>();
  req.forEach((name, value) => {
    const values = headers.get(name);
    if (values) values.push(value);
    else headers.set(name, [value]);
  });
  return {
    method: req.getCaseSensitiveMethod(),
    path: req.getUrl(),
    query: req.getQuery() ?? '',
    headers,
  };
}
