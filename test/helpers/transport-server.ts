/**
 * A real server on a free port over a store in memory and a desk of a few lines, with the clients to talk to it:
 * HTTP through fetch, raw bytes through node:net, WebSockets through ws. Everything is closed by `stop`.
 */
import { connect } from 'node:net';
import { WebSocket } from 'ws';
import type { AgentDesk, TickingClock } from '../../src/protocol/ports.ts';
import { problem } from '../../src/protocol/problems.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { type RunningServer, type ServerOptions, startServer } from '../../src/transport/server.ts';
import { MemoryClients, MemoryLog, MemorySync } from './memory-store.ts';

export const VIEW = 'view-token-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';
export const CONTROL = 'control-token-bbbbbbbbbbbbbbbbbbbbbbbbbbbbb';

export const realClock: TickingClock = { ...systemClock, wall: () => Date.now() };

/** Says what it was asked, and does nothing. */
export function echoDesk(): AgentDesk & { readonly asked: unknown[] } {
  const asked: unknown[] = [];
  return {
    asked,
    agentId: 'agent-1',
    version: '0.0.0',
    health: () => ({ status: 'healthy', reasons: [] }),
    status: async () => ({ agent: { version: '0.0.0' }, children: {} }),
    async command(body, role) {
      asked.push(body);
      const known =
        typeof body === 'object' && body !== null && 'command' in body && typeof body.command === 'string';
      if (!known) return { ok: false, problem: problem('schema-mismatch', 'no command') };
      if (body.command !== 'get_live_status' && role === 'view') {
        return { ok: false, problem: problem('control-required', 'look only') };
      }
      const id = 'command_id' in body && typeof body.command_id === 'string' ? body.command_id : 'made';
      const value = { command: String(body.command), command_id: id, duplicate: false, result: { role } };
      return { ok: true, value: { status: 'success', ...value } };
    },
    confirm: ({ session_id }) => {
      asked.push(session_id);
      return { ok: true, value: { session_id, confirmed: true, already: false } };
    },
    usage: async () => ({ ok: true, value: { time_zone: 'UTC', days: [] } }),
  };
}

export interface TestServer {
  readonly port: number;
  readonly server: RunningServer;
  readonly log: MemoryLog;
  readonly clients: MemoryClients;
  readonly sync: MemorySync;
  readonly desk: ReturnType<typeof echoDesk>;
  /** Changed by tests: read by the server on every request. */
  readonly security: {
    -readonly [K in keyof ReturnType<ServerOptions['security']>]: ReturnType<ServerOptions['security']>[K];
  };
  readonly transports: { websocketEnabled: boolean; pollingEnabled: boolean; pollIntervalSeconds: number };
  /** What the server logged as errors. */
  readonly errors: unknown[];
  request(path: string, init?: RequestInit & { token?: string | null }): Promise<Answer>;
  socket(options?: SocketOptions): TestSocket;
  raw(text: string | Uint8Array, host?: string): Promise<string>;
  stop(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes
  readonly body: any;
}

export async function testServer(overrides: Partial<ServerOptions> = {}): Promise<TestServer> {
  const log = (overrides.log as MemoryLog | undefined) ?? new MemoryLog();
  const clients = (overrides.clients as MemoryClients | undefined) ?? new MemoryClients(log);
  const sync = new MemorySync();
  const desk = echoDesk();
  const security = {
    requireToken: true,
    viewToken: VIEW,
    controlToken: CONTROL,
    allowedOrigins: [] as readonly string[],
  };
  const transports = { websocketEnabled: true, pollingEnabled: true, pollIntervalSeconds: 2 };
  const errors: unknown[] = [];
  const server = await startServer({
    host: 'localhost',
    port: 0,
    log,
    clients,
    sync,
    desk,
    clock: realClock,
    security: () => security,
    transports: () => transports,
    logger: { debug: () => {}, warn: () => {}, error: (fields) => errors.push(fields) },
    ...overrides,
  });
  const { port } = server;
  const sockets: TestSocket[] = [];
  return {
    port,
    server,
    log,
    clients,
    sync,
    desk,
    security,
    transports,
    errors,
    async request(path, { token = CONTROL, ...init } = {}) {
      const headers = new Headers(init.headers);
      if (token !== null) headers.set('authorization', `Bearer ${token}`);
      if (init.body && !headers.has('content-type')) headers.set('content-type', 'application/json');
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { ...init, headers });
      const text = await response.text();
      return {
        status: response.status,
        headers: response.headers,
        body: text === '' ? null : JSON.parse(text),
      };
    },
    socket(options = {}) {
      const socket = new TestSocket(port, options);
      sockets.push(socket);
      return socket;
    },
    raw: (text, host) => rawExchange(port, text, host),
    async stop() {
      for (const socket of sockets) socket.ws.terminate();
      await server.stop();
    },
  };
}

/** Sends bytes and returns what came until the other side closed, or nothing more came for 150 ms. */
export function rawExchange(port: number, text: string | Uint8Array, host = '127.0.0.1'): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    const socket = connect(port, host, () => socket.write(text));
    const done = (): void => {
      socket.destroy();
      resolve(received);
    };
    let quiet = setTimeout(done, 2_000);
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => {
      received += chunk;
      clearTimeout(quiet);
      quiet = setTimeout(done, 150);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(quiet);
      resolve(received);
    });
  });
}

export interface SocketOptions {
  readonly token?: string | null;
  readonly protocols?: readonly string[];
  readonly path?: string;
  readonly autoPong?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into frames of many shapes
type Frame = any;

/** A WebSocket whose frames, pings and close are awaited in the order they come. */
export class TestSocket {
  readonly ws: WebSocket;
  readonly frames: Frame[] = [];
  readonly pings: string[] = [];
  /** Settles with the close code; a refused upgrade settles with its HTTP status. */
  readonly closed: Promise<number>;
  #waiting: (() => void)[] = [];
  #end: number | null = null;

  constructor(port: number, options: SocketOptions) {
    const { token = CONTROL, protocols = [], path = '/', autoPong = true, headers = {} } = options;
    this.ws = new WebSocket(`ws://127.0.0.1:${port}${path}`, [...protocols], {
      autoPong,
      headers: { ...(token !== null && { authorization: `Bearer ${token}` }), ...headers },
    });
    this.ws.on('message', (data) => this.#note(() => this.frames.push(JSON.parse(String(data)))));
    this.ws.on('ping', (data) => this.#note(() => this.pings.push(data.toString())));
    this.ws.on('error', () => {});
    this.closed = new Promise((resolve) => {
      const ended = (code: number): void =>
        this.#note(() => {
          this.#end ??= code;
          resolve(code);
        });
      this.ws.on('unexpected-response', (request, response) => {
        ended(response.statusCode ?? 0);
        request.destroy();
      });
      this.ws.on('close', ended);
    });
  }

  send(frame: unknown): void {
    this.ws.send(typeof frame === 'string' || frame instanceof Uint8Array ? frame : JSON.stringify(frame));
  }

  /** Says hello as soon as the socket is open. */
  hello(fields: object = {}): this {
    this.ws.once('open', () => this.send({ type: 'hello', ...fields }));
    return this;
  }

  /** Waits until `holds`; throws when the socket closes before. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.#end !== null)
        throw new Error(`the socket closed with ${this.#end} while a frame was awaited`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** The first frame of a type. */
  async frame(type: string): Promise<Frame> {
    await this.until(() => this.frames.some((f) => f.type === type));
    return this.frames.find((f) => f.type === type);
  }

  /** Events so far, as offsets. */
  get offsets(): number[] {
    return this.events.map((event) => event.meta.offset);
  }

  get events(): Frame[] {
    return this.frames.filter((f) => f.meta !== undefined);
  }

  async untilEvents(count: number): Promise<number[]> {
    await this.until(() => this.events.length >= count);
    return this.offsets;
  }

  /** Waits for an answer to a ping frame: whatever was sent before it has arrived then. */
  async settled(): Promise<void> {
    const before = this.frames.filter((f) => f.type === 'pong').length;
    this.send({ type: 'ping' });
    await this.until(() => this.frames.filter((f) => f.type === 'pong').length > before);
  }

  #note(change: () => void): void {
    change();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
