/**
 * Clients of the agent for benches: one that a WebSocket pushes to, one that polls (long or at an interval). Each
 * hands over an event and the moment its handler ran, ms on the monotonic clock.
 */
import { Agent as HttpAgent, type RequestOptions, request } from 'node:http';
import { WebSocket } from 'ws';
import type { DeliveredEvent } from '../../src/protocol/events.ts';
import { SUBPROTOCOL_RELIABLE } from '../../src/protocol/frames.ts';
import { monotonicMs } from '../../src/runtime/clock.ts';

export type OnEvent = (event: DeliveredEvent, atMs: number) => void;

export interface Server {
  readonly port: number;
  readonly token: string;
}

export interface Client {
  close(): void;
}

export interface SocketClient extends Client {
  readonly socket: WebSocket;
  readonly closed: Promise<number>;
}

/** A client acknowledges what it has, at every so many events and when nothing more comes. */
const ACK_EVERY = 64;
const ACK_AFTER_MS = 200;

export interface SocketOptions {
  readonly clientId: string;
  /** `now`: live events only; left out: from the cursor on. */
  readonly resume?: 'now';
}

/** A reliable client; settles with its welcome. */
export function connectSocket(
  server: Server,
  options: SocketOptions,
  onEvent: OnEvent,
): Promise<SocketClient> {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/`, [SUBPROTOCOL_RELIABLE], {
    headers: { authorization: `Bearer ${server.token}` },
    perMessageDeflate: false,
  });
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  let unacked = 0;
  let last: DeliveredEvent | null = null;
  let timer: NodeJS.Timeout | null = null;
  const ack = () => {
    if (timer) clearTimeout(timer);
    timer = null;
    unacked = 0;
    if (!last || socket.readyState !== WebSocket.OPEN) return;
    const { epoch, offset } = last.meta;
    socket.send(JSON.stringify({ type: 'ack', epoch, offset }));
  };
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('open', () => {
      const { clientId, resume } = options;
      socket.send(JSON.stringify({ type: 'hello', client_id: clientId, ...(resume && { resume }) }));
    });
    socket.on('message', (data) => {
      const atMs = monotonicMs();
      const frame = JSON.parse(String(data)) as DeliveredEvent | { readonly type: 'welcome' | 'gap' | 'bye' };
      if ('meta' in frame) {
        onEvent(frame, atMs);
        last = frame;
        unacked += 1;
        if (unacked >= ACK_EVERY) ack();
        else timer ??= setTimeout(ack, ACK_AFTER_MS);
      } else if (frame.type === 'welcome') {
        resolve({ socket, closed, close: () => socket.terminate() });
      }
    });
  });
}

/** A client that knows no protocol: what a bare peer sends is JSON lines. Settles when it is open. */
export function connectBare(port: number, onMessage: (text: string, atMs: number) => void): Promise<Client> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false });
  socket.on('message', (data) => onMessage(String(data), monotonicMs()));
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('open', () => resolve({ close: () => socket.terminate() }));
  });
}

/** Polls again as soon as an answer is there: with `waitSeconds` a long poll, else every `everyMs`. */
export function connectPoll(
  server: Server,
  { clientId, waitSeconds, everyMs }: { clientId: string; waitSeconds?: number; everyMs?: number },
  onEvent: OnEvent,
): Client {
  const http = new HttpAgent({ keepAlive: true });
  let stopped = false;
  let position: { readonly epoch: string; readonly after: number } | null = null;
  const poll = async () => {
    while (!stopped) {
      const query = new URLSearchParams({ client_id: clientId, limit: '500' });
      if (waitSeconds) query.set('wait', String(waitSeconds));
      if (position) {
        query.set('epoch', position.epoch);
        query.set('after', String(position.after));
      }
      const answer = await get(server, `/desktop/events/poll?${query}`, http);
      const atMs = monotonicMs();
      const body = JSON.parse(answer) as {
        readonly events: readonly DeliveredEvent[];
        readonly epoch: string;
        readonly next_after: number;
      };
      for (const event of body.events) onEvent(event, atMs);
      position = { epoch: body.epoch, after: body.next_after };
      if (everyMs) await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  };
  void poll().catch((error: unknown) => {
    if (!stopped) throw error;
  });
  return {
    close() {
      stopped = true;
      http.destroy();
    },
  };
}

export function get(server: Server, path: string, agent: HttpAgent): Promise<string> {
  return ask(server, path, { agent });
}

export async function post(server: Server, path: string, body: object): Promise<unknown> {
  return JSON.parse(await ask(server, path, { method: 'POST' }, JSON.stringify(body)));
}

function ask(server: Server, path: string, options: RequestOptions, body?: string): Promise<string> {
  const headers = {
    authorization: `Bearer ${server.token}`,
    ...(body !== undefined && { 'content-type': 'application/json', 'content-length': body.length }),
  };
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port: server.port, path, headers, ...options }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.once('end', () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`${path} answered ${response.statusCode}`));
      });
    });
    sent.once('error', reject);
    sent.end(body);
  });
}
