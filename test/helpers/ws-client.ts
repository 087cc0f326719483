/**
 * A raw WebSocket client: every frame kept in order, awaited by predicate, nothing answered by itself but pings
 * (and those only if wanted).
 */
import { WebSocket } from 'ws';

// biome-ignore lint/suspicious/noExplicitAny: tests look into frames whose shape is what they check
export type Frame = any;

export interface RawOptions {
  readonly url: string;
  readonly token?: string | null;
  readonly protocols?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Path and query; `/` when left out. */
  readonly path?: string;
  /** false: pings get no pong. */
  readonly autoPong?: boolean;
}

/** What a slow machine may need for an answer; a test whose rule is about time names its own. */
const PATIENCE_MS = 20_000;

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** The server answered the upgrade with something else than 101. */
export class UpgradeRefused extends Error {
  readonly status: number;
  readonly body: string;

  constructor(status: number, body: string) {
    super(`the upgrade was answered ${status}`);
    this.status = status;
    this.body = body;
  }
}

export class RawClient {
  readonly frames: Frame[] = [];
  /** Payloads of the server's pings. */
  readonly pings: string[] = [];
  readonly closed: Promise<Closed>;
  readonly #socket: WebSocket;
  #read = 0;
  #watchers = new Set<() => void>();
  #ended: Closed | null = null;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => {
      this.frames.push(JSON.parse(data.toString()));
      this.#wake();
    });
    socket.on('ping', (data) => {
      this.pings.push(data.toString());
      this.#wake();
    });
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        this.#ended = { code, reason: reason.toString() };
        this.#wake();
        resolve(this.#ended);
      });
    });
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  get isOpen(): boolean {
    return this.#ended === null;
  }

  /** The first frame not yet read that fits; those before it are passed over. */
  async next(fits: (frame: Frame) => boolean = () => true, timeoutMs = PATIENCE_MS): Promise<Frame> {
    return this.until(() => {
      const at = this.frames.findIndex((frame, index) => index >= this.#read && fits(frame));
      if (at < 0) return undefined;
      this.#read = at + 1;
      return this.frames[at];
    }, timeoutMs);
  }

  /** What `look` returns once it is not undefined; looked at again after each frame and ping. */
  async until<T>(look: () => T | undefined, timeoutMs = PATIENCE_MS): Promise<T> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      const left = deadline - Date.now();
      if (this.#ended) throw new Error(`closed with ${this.#ended.code} ${this.#ended.reason}`);
      if (left <= 0) {
        throw new Error(
          `nothing that fits in ${timeoutMs} ms; last frames: ${JSON.stringify(this.frames.slice(-3))}`,
        );
      }
      await this.#change(left);
    }
  }

  /** Every event so far, in order of arrival. */
  get events(): Frame[] {
    return this.frames.filter((frame) => frame.meta);
  }

  /** Events as they are once none has come for `ms`. */
  async settledEvents(ms = 300): Promise<Frame[]> {
    for (let seen = -1; seen !== this.frames.length + this.pings.length; ) {
      seen = this.frames.length + this.pings.length;
      await this.#change(ms);
    }
    return this.events;
  }

  send(frame: unknown): void {
    this.#socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  sendBinary(bytes: Uint8Array): void {
    this.#socket.send(bytes);
  }

  pong(payload: string): void {
    this.#socket.pong(payload);
  }

  /** Stops reading from the network, as a program that hangs does. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** A clean close; settles when it is through. */
  async close(code = 1000): Promise<Closed> {
    this.#socket.close(code);
    return this.closed;
  }

  /** The connection is gone without a word. */
  terminate(): void {
    this.#socket.terminate();
  }

  #change(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#watchers.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#watchers.add(done);
    });
  }

  #wake(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}

/** Opens a WebSocket; rejects with UpgradeRefused when the server answers with anything but 101. */
export function openRaw(options: RawOptions): Promise<RawClient> {
  const { url, token, protocols = [], headers = {}, path = '/', autoPong = true } = options;
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}${path}`, [...protocols], {
    headers: { ...(token && { Authorization: `Bearer ${token}` }), ...headers },
    perMessageDeflate: false,
    autoPong,
  });
  const client = new RawClient(socket);
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(client));
    socket.once('error', reject);
    socket.once('unexpected-response', (_request, response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () => reject(new UpgradeRefused(response.statusCode ?? 0, body)));
    });
  });
}

/** Opens as a reliable client (W2) and says hello. */
export async function openReliable(
  options: Omit<RawOptions, 'protocols'> & { readonly clientId?: string; readonly resume?: unknown },
): Promise<RawClient> {
  const { clientId, resume, ...rest } = options;
  const client = await openRaw({ ...rest, protocols: ['playwarden.v1'] });
  client.send({
    type: 'hello',
    ...(clientId !== undefined && { client_id: clientId }),
    ...(resume !== undefined && { resume }),
  });
  return client;
}
