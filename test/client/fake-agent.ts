/**
 * An agent as the client library sees one: a log in memory behind the poll and the reliable WebSocket, with switches
 * for what goes wrong. Follows the contract only as far as these tests look.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

interface Sent {
  readonly type: 'notification';
  readonly data: { readonly title: string; readonly message: string; readonly type: string };
  readonly meta: { id: string; epoch: string; offset: number; ts: string; redelivered: boolean };
}

export class FakeAgent {
  readonly token = 'right';
  /** Answers every request like this; null: as it should. */
  failHttp: 401 | 500 | null = null;
  /** Upgrades are refused with this; null: taken. */
  failUpgrade: number | null = null;
  epoch = 'e1';
  /** Acknowledged, as the agent knows it. */
  cursor: { epoch: string; offset: number } | null = null;
  readonly log: Sent[] = [];
  readonly hellos: Record<string, unknown>[] = [];
  readonly polls: URLSearchParams[] = [];
  readonly commands: Record<string, unknown>[] = [];
  readonly sockets = new Set<WebSocket>();
  /** Answers to commands that are lost: the connection is cut instead. */
  loseAnswers = 0;
  gap: object | null = null;
  /** Hellos are answered with this close; null: as they should be. */
  refuseHello: number | null = null;
  #server: Server | null = null;
  #ws: WebSocketServer | null = null;
  #waiting = new Set<() => void>();
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  async start(port = 0): Promise<void> {
    const server = createServer((request, response) => void this.#answer(request, response));
    const ws = new WebSocketServer({ noServer: true });
    server.on('upgrade', (request, socket, head) => {
      if (this.failUpgrade !== null) {
        socket.end(`HTTP/1.1 ${this.failUpgrade} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
        return;
      }
      ws.handleUpgrade(request, socket, head, (client) => this.#serve(client));
    });
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    this.#server = server;
    this.#ws = ws;
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Gone without a word, as by kill -9. */
  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.terminate();
    this.#wake();
    this.#ws?.close();
    this.#server?.closeAllConnections();
    await new Promise<void>((resolve) => (this.#server ? this.#server.close(() => resolve()) : resolve()));
    this.#server = null;
  }

  emit(title: string): void {
    const last = this.log.findLast((e) => e.meta.epoch === this.epoch)?.meta.offset ?? 0;
    const offset = last + 1;
    const meta = {
      id: `${this.epoch}-${offset}`,
      epoch: this.epoch,
      offset,
      ts: '2026-01-01T00:00:00.000Z',
      redelivered: false,
    };
    const event: Sent = { type: 'notification', data: { title, message: '', type: 'message' }, meta };
    this.log.push(event);
    for (const socket of this.sockets) socket.send(JSON.stringify(event));
    this.#wake();
  }

  closeSockets(code: number): void {
    for (const socket of this.sockets) socket.close(code);
  }

  sendAll(frame: object): void {
    for (const socket of this.sockets) socket.send(JSON.stringify(frame));
  }

  #serve(socket: WebSocket): void {
    socket.on('message', (data) => {
      const frame = JSON.parse(data.toString());
      if (frame.type === 'hello') this.#welcome(socket, frame);
      if (frame.type === 'ack') this.cursor = { epoch: frame.epoch, offset: frame.offset };
      if (frame.type === 'ping') socket.send(JSON.stringify({ type: 'pong', timestamp: '' }));
    });
    socket.on('close', () => this.sockets.delete(socket));
  }

  #welcome(socket: WebSocket, hello: Record<string, unknown>): void {
    this.hellos.push(hello);
    const refusal = this.refuseHello ?? (this.#isAhead(hello.resume) ? 4504 : null);
    if (refusal !== null) {
      socket.close(refusal);
      return;
    }
    const from = (hello.resume ?? this.cursor) as { epoch: string; offset: number } | null;
    const last = this.log.at(-1)?.meta.offset ?? 0;
    socket.send(
      JSON.stringify({
        type: 'welcome',
        message: 'hello',
        protocol: 1,
        client_id: hello.client_id,
        agent_id: 'fake',
        epoch: this.epoch,
        first_offset: 1,
        last_offset: last,
        acked_epoch: this.cursor?.epoch ?? null,
        acked_offset: this.cursor?.offset ?? 0,
        recovered: true,
        gap: this.gap,
        timestamp: '',
      }),
    );
    for (const event of this.#after(from)) socket.send(JSON.stringify(event));
    this.sockets.add(socket);
  }

  /** Beyond the end of the log: nobody was ever given it. */
  #isAhead(position: unknown): boolean {
    const { epoch, offset } = (position ?? {}) as { epoch?: string; offset?: number };
    const last = this.log.findLast((e) => e.meta.epoch === epoch)?.meta.offset ?? 0;
    return epoch === this.epoch && offset !== undefined && offset > last;
  }

  #after(position: { epoch: string; offset: number } | null): Sent[] {
    const at = this.log.findIndex(
      ({ meta }) => meta.epoch === position?.epoch && meta.offset === position.offset,
    );
    return this.log.slice(at + 1);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://x');
    let text = '';
    for await (const chunk of request) text += chunk;
    const status = request.headers.authorization === `Bearer ${this.token}` ? this.failHttp : 401;
    if (status) return json(response, status, problem(status));
    if (pathname === '/desktop/connect') {
      const { epoch, offset } = this.cursor ?? { epoch: null, offset: 0 };
      return json(response, 200, { acked_epoch: epoch, acked_offset: offset });
    }
    if (pathname === '/desktop/events/poll') return this.#poll(searchParams, response);
    if (pathname === '/desktop/command') return this.#command(JSON.parse(text), response);
    return json(response, 200, { status: 'success' });
  }

  async #poll(query: URLSearchParams, response: ServerResponse): Promise<void> {
    this.polls.push(query);
    const after = { epoch: query.get('epoch') ?? '', offset: Number(query.get('after')) };
    if (this.#isAhead(after)) return json(response, 409, problem(409));
    if (this.log.some((e) => e.meta.epoch === after.epoch && e.meta.offset === after.offset))
      this.cursor = after;
    if (this.#after(after).length === 0 && query.get('wait')) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
    const limit = Number(query.get('limit') ?? 100);
    if (limit > 500) return json(response, 422, problem(422));
    const events = this.#after(after);
    const has_more = events.length > limit;
    json(response, 200, {
      events: events.slice(0, limit),
      epoch: this.epoch,
      next_after: 0,
      has_more,
      gap: this.gap,
    });
  }

  #command(body: Record<string, unknown>, response: ServerResponse): void {
    const duplicate = this.commands.some((c) => c.command_id === body.command_id);
    this.commands.push(body);
    if (this.loseAnswers-- > 0) {
      response.destroy();
      return;
    }
    json(response, 200, {
      status: 'success',
      command: body.command,
      command_id: body.command_id,
      duplicate,
      result: {},
    });
  }

  #wake(): void {
    for (const waiting of this.#waiting) waiting();
    this.#waiting.clear();
  }
}

function problem(status: number): object {
  const slug = { 401: 'unauthorized', 409: 'offset-unknown' }[status] ?? 'internal';
  return { type: `urn:playwarden:problem:${slug}`, title: slug, status, detail: slug, instance: '/' };
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}
