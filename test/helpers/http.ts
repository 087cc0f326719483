/** Requests with full control of method, headers and body, by node:http, and of every byte, by a plain socket. */
import { request } from 'node:http';
import { connect } from 'node:net';

export interface HttpRequest {
  readonly url: string;
  readonly path: string;
  readonly method?: string;
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** An object goes out as JSON with its media type, a string as it is. */
  readonly body?: unknown;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body as JSON; undefined when it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers whose shape is what they check
  readonly json: any;
}

export function http(options: HttpRequest): Promise<HttpResponse> {
  const { url, path, token, body, timeoutMs = 30_000 } = options;
  const isJson = body !== undefined && typeof body !== 'string';
  const payload = isJson ? JSON.stringify(body) : (body as string | undefined);
  const { hostname, port, host } = new URL(url);
  const headers = {
    Host: host,
    ...(token && { Authorization: `Bearer ${token}` }),
    ...(isJson && { 'Content-Type': 'application/json' }),
    ...(payload !== undefined && { 'Content-Length': String(Buffer.byteLength(payload)) }),
    ...options.headers,
  };
  return new Promise((resolve, reject) => {
    const req = request({
      hostname: hostname.replace(/^\[|\]$/g, ''),
      port,
      path,
      method: options.method ?? (payload === undefined ? 'GET' : 'POST'),
      headers,
      setHost: false,
      agent: false,
      timeout: timeoutMs,
      ...(options.signal && { signal: options.signal }),
    });
    req.on('timeout', () => req.destroy(new Error(`no answer from ${path} in ${timeoutMs} ms`)));
    req.on('error', reject);
    req.on('response', (res) => {
      let text = '';
      res.setEncoding('utf8');
      res.on('data', (chunk) => {
        text += chunk;
      });
      res.on('error', reject);
      res.on('end', () =>
        resolve({ status: res.statusCode ?? 0, headers: res.headers, text, json: parse(text) }),
      );
    });
    req.end(payload);
  });
}

/** Writes these bytes and returns all that comes back until the server closes or `quietMs` pass in silence. */
export function rawExchange(port: number, bytes: string, quietMs = 1_000): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect({ host: '127.0.0.1', port });
    const done = () => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(quietMs, done);
    socket.on('connect', () => socket.write(bytes));
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });
    socket.on('close', done);
    socket.on('error', done);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
