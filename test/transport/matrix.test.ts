/**
 * The whole front door over the wire: routes × tokens × hosts × origins × methods, each against the status that the
 * order of contract S6 demands, and no effect where it was refused.
 */
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CONTROL, type TestServer, testServer, VIEW } from '../helpers/transport-server.ts';

let t: TestServer;
beforeAll(async () => {
  t = await testServer();
  t.security.allowedOrigins = ['https://parent.example'];
});
afterAll(() => t.stop());

const ROUTES: Record<string, 'GET' | 'POST' | null> = {
  '/health': 'GET',
  '/desktop/connect': 'POST',
  '/desktop/disconnect': 'POST',
  '/desktop/status': 'GET',
  '/desktop/events/poll': 'GET',
  '/desktop/queue/sessions': 'GET',
  '/desktop/queue/notifications': 'GET',
  '/desktop/usage': 'GET',
  '/desktop/command': 'POST',
  '/sync/confirm': 'POST',
  '/unknown': null,
  '/': null,
};
const BODIES: Record<string, string> = {
  '/desktop/command': '{"command":"get_live_status"}',
  '/sync/confirm': '{"session_id":"s","success":true}',
};
const METHODS = ['GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'FOO', 'get'];
const TOKENS: Record<string, string | null> = {
  none: null,
  basic: 'Basic dXNlcjpwYXNz',
  view: `Bearer ${VIEW}`,
  control: `Bearer ${CONTROL}`,
};
const HOSTS: Record<string, boolean> = {
  'localhost:PORT': true,
  '127.0.0.1:PORT': true,
  '[::1]:PORT': true,
  'localhost:1': false,
  'evil.example:PORT': false,
  '2130706433:PORT': false,
};
const ORIGINS: Record<string, boolean> = {
  none: true,
  'http://localhost:PORT': true,
  'https://parent.example': true,
  'https://evil.example': false,
  null: false,
};

interface Case {
  readonly path: string;
  readonly method: string;
  readonly token: string;
  readonly host: string;
  readonly origin: string;
}

function expected({ path, method, token, host, origin }: Case): number {
  if (!HOSTS[host]) return 403;
  if (!ORIGINS[origin]) return 403;
  if (method === 'OPTIONS' && origin !== 'none') return 204;
  const isPublic = path === '/health' && method === 'GET';
  if (!isPublic && token !== 'view' && token !== 'control') return 401;
  const allowed = ROUTES[path];
  if (allowed === null) return 404;
  return method === allowed ? 200 : 405;
}

function cases(): Case[] {
  const all: Case[] = [];
  for (const path of Object.keys(ROUTES))
    for (const method of METHODS)
      for (const token of Object.keys(TOKENS))
        for (const host of Object.keys(HOSTS)) {
          for (const origin of Object.keys(ORIGINS)) all.push({ path, method, token, host, origin });
        }
  return all;
}

function requestText({ path, method, token, host, origin }: Case): string {
  const body = method === 'GET' || method === 'HEAD' ? '' : (BODIES[path] ?? '');
  const lines = [`${method} ${path} HTTP/1.1`, `Host: ${host}`];
  if (origin !== 'none') lines.push(`Origin: ${origin}`);
  if (TOKENS[token]) lines.push(`Authorization: ${TOKENS[token]}`);
  if (body) lines.push('Content-Type: application/json', `Content-Length: ${body.length}`);
  return `${lines.join('\r\n')}\r\n\r\n${body}`.replaceAll('PORT', String(t.port));
}

/** All cases on one connection, one after the other: an answer that broke the connection would show. */
async function statuses(all: readonly Case[]): Promise<number[]> {
  const found: number[] = [];
  const socket = connect(t.port, '127.0.0.1');
  let text = '';
  let next = (): void => {};
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    text += chunk;
    next();
  });
  for (const one of all) {
    text = '';
    socket.write(requestText(one));
    const bodyless = one.method === 'HEAD';
    await new Promise<void>((resolve) => {
      next = () => {
        const end = text.indexOf('\r\n\r\n');
        if (end < 0) return;
        const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
        if (bodyless || text.length >= end + 4 + length) resolve();
      };
    });
    found.push(Number(text.slice(9, 12)));
  }
  socket.destroy();
  return found;
}

test('S2 S3 S4 S6 the matrix of routes, tokens, hosts, origins and methods', {
  timeout: 60_000,
}, async () => {
  const all = cases().filter(
    (c) => c.path !== '/desktop/command' || c.method !== 'POST' || expected(c) !== 200,
  );
  const found = await statuses(all);
  const wrong = all.flatMap((c, i) =>
    found[i] === expected(c) ? [] : [{ ...c, found: found[i], expected: expected(c) }],
  );
  expect(all.length).toBeGreaterThan(12_000);
  expect(wrong).toEqual([]);
  expect(t.errors).toEqual([]);
  const allowedConfirms = all.filter((c) => c.path === '/sync/confirm' && expected(c) === 200).length;
  expect(t.desk.asked).toHaveLength(allowedConfirms);
});

test('S4 the 401 is the same to the byte, whatever was asked and presented', async () => {
  const bodies = new Set<string>();
  for (const [path, token] of [
    ['/desktop/status', null],
    ['/nope', null],
    ['/desktop/command', 'null'],
    ['/', 'x'.repeat(200)],
  ] as const) {
    const answer = await t.request(path, { token });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    bodies.add(JSON.stringify(answer.body));
  }
  expect(bodies.size).toBe(1);
});

test('S4 ten wrong tokens, then 429 for wrong ones only', async () => {
  const s = await testServer();
  const status = async (token: string | null) => (await s.request('/desktop/status', { token })).status;
  for (let i = 0; i < 10; i += 1) expect(await status(`wrong${i}`)).toBe(401);
  const locked = await s.request('/desktop/status', { token: 'wrong' });
  expect(locked.status).toBe(429);
  expect(Number(locked.headers.get('retry-after'))).toBeGreaterThan(50);
  expect(locked.body.retry_after_ms).toBeLessThanOrEqual(60_000);
  expect(await status(null)).toBe(401);
  expect(await status(VIEW)).toBe(200);
  expect(await s.socket({ token: 'wrong' }).closed).toBe(429);
  await s.stop();
});

test('S2 a doubled Host, an absolute form, a missing Host and HTTP/1.0 never reach a route', async () => {
  const host = `Host: localhost:${t.port}\r\n`;
  for (const text of [
    `GET /health HTTP/1.1\r\n${host}${host}\r\n`,
    `GET /health HTTP/1.1\r\n${host}Host: evil\r\n\r\n`,
    `GET http://localhost:${t.port}/health HTTP/1.1\r\n${host}\r\n`,
    'GET /health HTTP/1.1\r\n\r\n',
    `GET /health HTTP/1.0\r\n${host}\r\n`,
    `OPTIONS * HTTP/1.1\r\n${host}\r\n`,
  ]) {
    expect(await t.raw(text)).toMatch(/^$|^HTTP\/1\.1 (400|403|505) /);
  }
});

test('S5 require_token false opens both, and Host and Origin still hold', async () => {
  const s = await testServer();
  s.security.requireToken = false;
  expect((await s.request('/desktop/status', { token: null })).status).toBe(200);
  const command = await s.request('/desktop/command', {
    method: 'POST',
    token: 'wrong',
    body: '{"command":"force_close"}',
  });
  expect(command.body.result).toEqual({ role: 'control' });
  expect((await s.request('/desktop/status', { token: null, headers: { origin: 'null' } })).status).toBe(403);
  expect(await s.raw('GET /desktop/status HTTP/1.1\r\nHost: evil\r\n\r\n')).toMatch(/^HTTP\/1\.1 403 /);
  await s.stop();
});
