/** The routes of contract section 4 over a real server: their keys, their refusals and the order of these. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { COMMAND_TIMEOUT_MS } from '../../src/client/command-until-answered.ts';
import { parseConfig } from '../../src/protocol/config.ts';
import { problem } from '../../src/protocol/problems.ts';
import { problemReply, success } from '../../src/transport/http-message.ts';
import type { RouteContext } from '../../src/transport/routes/context.ts';
import { routeTable } from '../../src/transport/routes/table.ts';
import { errorFrameText } from '../../src/transport/session-frames.ts';
import { numbered } from '../helpers/memory-store.ts';
import { CONTROL, type TestServer, testServer, VIEW } from '../helpers/transport-server.ts';

let t: TestServer;
beforeAll(async () => {
  t = await testServer();
});
afterAll(() => t.stop());
beforeEach(() => {
  expect(t.errors).toEqual([]);
});

const keys = (body: object) =>
  Object.keys(body)
    .filter((k) => k !== 'status' && k !== 'timestamp')
    .sort();

describe('section 4', () => {
  test('every answer is JSON, not stored, with status and timestamp', async () => {
    const { status, headers, body } = await t.request('/desktop/status');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('application/json');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body.status).toBe('success');
    expect(body.timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  test('GET /health needs no token and says little', async () => {
    const { status, body } = await t.request('/health', { token: null });
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: 'healthy', version: '0.0.0' });
    expect(keys(body)).toEqual(['version']);
  });

  test('POST /desktop/connect with and without a body', async () => {
    t.log.append([numbered(1), numbered(2, 'notification')]);
    const { status, body } = await t.request('/desktop/connect', { method: 'POST' });
    expect(status).toBe(200);
    expect(keys(body)).toEqual(
      [
        'message',
        'client_id',
        'agent_id',
        'websocket_available',
        'websocket_url',
        'poll_url',
        'poll_interval_seconds',
        'queued_items',
        'epoch',
        'first_offset',
        'last_offset',
        'acked_epoch',
        'acked_offset',
      ].sort(),
    );
    expect(body).toMatchObject({
      client_id: 'default',
      agent_id: 'agent-1',
      websocket_available: true,
      websocket_url: `ws://localhost:${t.port}/`,
      poll_url: `http://localhost:${t.port}/desktop/events/poll`,
      queued_items: { sessions: 0, notifications: 1, events: 2 },
      acked_epoch: null,
      acked_offset: 0,
      last_offset: 2,
    });
    const named = await t.request('/desktop/connect', {
      method: 'POST',
      body: JSON.stringify({ client_id: 'desk-1', client_version: '1.0' }),
    });
    expect(named.body.client_id).toBe('desk-1');
  });

  test('GET /desktop/status has its keys, and looking remembers nobody', async () => {
    const { body } = await t.request('/desktop/status?client_id=nobody');
    expect(keys(body)).toEqual(
      [
        'connected',
        'websocket_available',
        'websocket_clients',
        'queued_sessions',
        'queued_notifications',
        'queued_events',
        'epoch',
        'last_offset',
        'agent_id',
        'agent',
        'children',
      ].sort(),
    );
    expect(body).toMatchObject({ connected: false, queued_events: 2, queued_notifications: 1 });
    expect(t.clients.get('nobody')).toBeNull();
  });

  test('GET /desktop/events/poll returns the envelopes', async () => {
    const { body } = await t.request('/desktop/events/poll?client_id=desk-1&limit=1', { token: VIEW });
    expect(keys(body)).toEqual(['count', 'epoch', 'events', 'gap', 'has_more', 'next_after']);
    expect(body.events[0]).toMatchObject({
      type: 'agent_event',
      data: { n: 1 },
      meta: { epoch: 'epoch-1', offset: 1, redelivered: false },
    });
    expect(body).toMatchObject({ count: 1, next_after: 1, has_more: true, gap: null });
  });

  test('H2 connected within three poll intervals, over HTTP and by socket; disconnect ends both', async () => {
    const connected = async (who = '') => (await t.request(`/desktop/status${who}`)).body.connected;
    expect(await connected()).toBe(true);
    expect(await connected('?client_id=desk-1')).toBe(true);
    expect(await connected('?client_id=desk-7')).toBe(false);
    const socket = t.socket({ path: '/?client_id=desk-7' });
    await socket.frame('welcome');
    expect(await connected('?client_id=desk-7')).toBe(true);
    expect(t.server.connectedClients()).toBe(2);
    for (const client_id of ['desk-1', 'desk-7', 'never-seen']) {
      const { status, body } = await t.request('/desktop/disconnect', {
        method: 'POST',
        body: JSON.stringify({ client_id }),
      });
      expect(status).toBe(200);
      expect(keys(body)).toEqual(['message']);
    }
    expect(await socket.closed).toBe(1000);
    expect(await connected()).toBe(false);
    expect(t.clients.get('never-seen')).toBeNull();
  });

  test('GET /desktop/queue/* look and acknowledge nothing', async () => {
    const session = { session_id: 's1' } as never;
    t.sync.ended.push(session);
    const sessions = await t.request('/desktop/queue/sessions?limit=5');
    expect(sessions.body).toMatchObject({ sessions: [{ session_id: 's1' }], count: 1 });
    for (let i = 0; i < 2; i += 1) {
      const { body } = await t.request('/desktop/queue/notifications?client_id=desk-5');
      expect(body).toMatchObject({
        count: 1,
        notifications: [{ type: 'notification', meta: { offset: 2 } }],
      });
    }
    expect(t.clients.get('desk-5')).toBeNull();
  });

  test('K1 a command is waited for as long as clients are told to wait, the longest close included', () => {
    const command = routeTable({} as RouteContext).find((route) => route.path === '/desktop/command');
    expect(command?.deadlineMs).toBe(COMMAND_TIMEOUT_MS);
    const longest = { enforcement: { close_wait_seconds: COMMAND_TIMEOUT_MS / 1_000 - 10 } };
    expect(parseConfig(longest).ok).toBe(true);
    expect(parseConfig({ enforcement: { close_wait_seconds: 301 } }).ok).toBe(false);
  });

  test('D6 what answers with up to 1 MB is written in turns, and nothing else waits for its turn', () => {
    const inTurns = routeTable({} as RouteContext).filter((route) => route.inTurns);
    expect(inTurns.map(({ path }) => path)).toEqual([
      '/desktop/events/poll',
      '/desktop/queue/sessions',
      '/desktop/queue/notifications',
    ]);
  });

  test('GET /desktop/usage, POST /sync/confirm, POST /desktop/command hand on to the agent', async () => {
    expect((await t.request('/desktop/usage?child=a&from=2026-01-01&to=2026-01-02')).body.days).toEqual([]);
    const confirmed = await t.request('/sync/confirm', {
      method: 'POST',
      token: VIEW,
      body: '{"session_id":"s1","success":true}',
    });
    expect(confirmed.body).toMatchObject({
      status: 'success',
      session_id: 's1',
      confirmed: true,
      already: false,
    });
    const command = await t.request('/desktop/command', {
      method: 'POST',
      body: '{"command":"force_close","command_id":"c1"}',
    });
    expect(command.body).toMatchObject({
      status: 'success',
      command: 'force_close',
      command_id: 'c1',
      duplicate: false,
    });
  });

  test('S5 the view token may not change anything by an unsigned command', async () => {
    const send = (command: string) =>
      t.request('/desktop/command', { method: 'POST', token: VIEW, body: JSON.stringify({ command }) });
    expect((await send('force_close')).status).toBe(403);
    expect((await send('get_live_status')).status).toBe(200);
  });

  test('H1 the ninth client is 409 on connect, poll and socket', async () => {
    const s = await testServer();
    for (let i = 1; i <= 8; i += 1) s.clients.open(`c${i}`);
    const connect = await s.request('/desktop/connect', { method: 'POST', body: '{"client_id":"c9"}' });
    expect(connect).toMatchObject({ status: 409, body: { type: 'urn:playwarden:problem:too-many-clients' } });
    expect((await s.request('/desktop/events/poll?client_id=c9')).status).toBe(409);
    expect(await s.socket({ path: '/?client_id=c9' }).closed).toBe(409);
    // A simple client that names itself nowhere is a client too.
    expect(await s.socket().closed).toBe(409);
    await s.stop();
  });

  test('S6 H1 an upgrade that is refused since 16 sockets are open remembers nobody', async () => {
    const s = await testServer();
    const open = Array.from({ length: 16 }, () =>
      s.socket({ path: '/?client_id=one', protocols: ['playwarden.v1'] }),
    );
    await Promise.all(open.map((socket) => new Promise((resolve) => socket.ws.once('open', resolve))));
    for (const name of ['x1', 'x2']) {
      expect(await s.socket({ path: `/?client_id=${name}` }).closed).toBe(503);
      expect(s.clients.get(name)).toBeNull();
    }
    await s.stop();
  });

  test.each([`${Number.MAX_SAFE_INTEGER}`, `${2n ** 64n}`, '9'.repeat(300)])(
    'D8 the offset %s was never given: 409',
    async (after) => {
      expect((await t.request(`/desktop/events/poll?client_id=far&after=${after}`)).status).toBe(409);
    },
  );
});

describe('S6 the order of refusals', () => {
  const big = `{"x":"${'y'.repeat(70_000)}"}`;
  test.each([
    ['unknown route without a token', '/nope', 'GET', null, undefined, undefined, 401],
    ['unknown route with a token', '/nope', 'GET', VIEW, undefined, undefined, 404],
    ['unknown route, wrong method, big body', '/nope', 'PATCH', VIEW, big, 'text/plain', 404],
    ['a trailing slash is another route', '/desktop/status/', 'GET', VIEW, undefined, undefined, 404],
    ['wrong method, big body', '/sync/confirm', 'PUT', VIEW, big, 'text/plain', 405],
    ['GET of a POST route', '/desktop/command', 'GET', CONTROL, undefined, undefined, 405],
    ['DELETE', '/desktop/status', 'DELETE', VIEW, undefined, undefined, 405],
    ['big body, wrong type', '/sync/confirm', 'POST', VIEW, big, 'text/plain', 413],
    ['wrong type, bad JSON', '/sync/confirm', 'POST', VIEW, '{', 'text/plain', 415],
    ['a form', '/sync/confirm', 'POST', VIEW, 'session_id=1', 'application/x-www-form-urlencoded', 415],
    ['another charset', '/sync/confirm', 'POST', VIEW, '{}', 'application/json; charset=latin1', 415],
    ['bad JSON', '/sync/confirm', 'POST', VIEW, '{', 'application/json', 400],
    ['an empty body where one is required', '/sync/confirm', 'POST', VIEW, undefined, undefined, 400],
    ['too deep', '/sync/confirm', 'POST', VIEW, '['.repeat(20_000), 'application/json', 400],
    ['a schema mismatch', '/sync/confirm', 'POST', VIEW, '{}', 'application/json; charset=utf-8', 422],
    ['null', '/sync/confirm', 'POST', VIEW, 'null', 'application/json', 422],
    ['a bad optional body', '/desktop/connect', 'POST', VIEW, '[]', 'application/json', 422],
    ['null in an optional body', '/desktop/connect', 'POST', VIEW, 'null', 'application/json', 422],
    ['an optional body of another type', '/desktop/connect', 'POST', VIEW, 'x', 'text/plain', 415],
  ])('%s', async (_name, path, method, token, body, type, expected) => {
    const {
      status,
      body: answer,
      headers,
    } = await t.request(path, {
      method,
      token,
      ...(body !== undefined && { body }),
      headers: { ...(type !== undefined && { 'content-type': type }) },
    });
    expect(status).toBe(expected);
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(answer).toMatchObject({ status: expected });
    expect(Object.keys(answer).slice(0, 5)).toEqual(['type', 'title', 'status', 'detail', 'instance']);
    if (status === 405) expect(headers.get('allow')).toMatch(/^(GET|POST)$/);
  });

  test('HEAD is 405 without a body, on a connection that goes on', async () => {
    const one = `HEAD /desktop/status HTTP/1.1\r\nHost: localhost:${t.port}\r\nAuthorization: Bearer ${VIEW}\r\n\r\n`;
    const first = await t.raw(one);
    expect(first).toMatch(/^HTTP\/1\.1 405 [\s\S]*Allow: GET\r\n/);
    expect(first.endsWith('\r\n\r\n')).toBe(true);
  });

  test.each([
    'limit=0',
    'limit=501',
    'limit=x',
    'limit=',
    'wait=26',
    'wait=-1',
    'after=-1',
    'after=1.5',
    'after=1e3',
    'epoch=',
    'client_id=a%20b',
    'client_id=',
    `client_id=${'a'.repeat(65)}`,
  ])('D8 ?%s is 422 and names the key', async (query) => {
    const { status, body } = await t.request(`/desktop/events/poll?${query}`);
    expect(status).toBe(422);
    expect(body.errors[0].path).toBe(query.split('=')[0]);
  });

  test('every problem of a body is told', async () => {
    const { body } = await t.request('/sync/confirm', { method: 'POST', body: '{"success":"yes"}' });
    expect(body.errors.map((e: { path: string }) => e.path).sort()).toEqual(['session_id', 'success']);
  });

  test('invalid UTF-8 is 400', async () => {
    const { status } = await t.request('/sync/confirm', {
      method: 'POST',
      body: Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]),
    });
    expect(status).toBe(400);
  });

  test('413 with a declared and with a chunked body of 64 KiB and one byte; 64 KiB pass', async () => {
    const head = `POST /sync/confirm HTTP/1.1\r\nHost: localhost:${t.port}\r\nAuthorization: Bearer ${VIEW}\r\nContent-Type: application/json\r\n`;
    expect(await t.raw(`${head}Content-Length: 65537\r\n\r\n`)).toMatch(/^HTTP\/1\.1 413 /);
    const chunk = (n: number) => `${n.toString(16)}\r\n${' '.repeat(n)}\r\n`;
    const chunked = (n: number) =>
      `${head}Transfer-Encoding: chunked\r\n\r\n${chunk(n / 2)}${chunk(n / 2)}0\r\n\r\n`;
    expect(await t.raw(chunked(65_538))).toMatch(/^HTTP\/1\.1 413 /);
    expect(await t.raw(chunked(65_536))).toMatch(/^HTTP\/1\.1 400 /);
  });

  test('a refused body does not spoil the connection for the next request', async () => {
    const auth = `Host: localhost:${t.port}\r\nAuthorization: Bearer ${VIEW}\r\n`;
    const large = `POST /sync/confirm HTTP/1.1\r\n${auth}Content-Length: 70000\r\n\r\n${'x'.repeat(70_000)}`;
    const received = await t.raw(`${large}GET /health HTTP/1.1\r\n${auth}\r\n`);
    expect(received.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 413', 'HTTP/1.1 200']);
  });

  test('C10 polling switched off is 404, and says so', async () => {
    t.transports.pollingEnabled = false;
    const { status, body } = await t.request('/desktop/events/poll');
    t.transports.pollingEnabled = true;
    expect(status).toBe(404);
    expect(body.type).toBe('urn:playwarden:problem:transport-disabled');
  });

  test('a handler that fails is 500 without a stack, and the server lives', async () => {
    const s = await testServer();
    Object.assign(s.desk, {
      status: () => Promise.reject(new Error('secret detail')),
      health: () => {
        throw new Error('secret detail');
      },
    });
    for (const path of ['/desktop/status', '/health']) {
      const { status, body } = await s.request(path);
      expect(status).toBe(500);
      expect(JSON.stringify(body)).not.toContain('secret');
    }
    expect(s.errors).toHaveLength(2);
    expect((await s.request('/desktop/usage')).status).toBe(200);
    await s.stop();
  });

  test('section 4: no answer on either transport holds half a surrogate pair, whatever stood in what was asked', () => {
    const cut = 'Dinner \ud83d';
    const reason = problem('schema-mismatch', cut, { errors: [{ path: cut, message: cut }] });
    const texts = [success(0, { [cut]: cut }).body, problemReply(reason).body, errorFrameText(reason)];
    for (const text of texts) {
      expect(text).toContain('Dinner \ufffd');
      expect(text).not.toContain('ud83d');
    }
  });

  test('S7 no token in what is answered', async () => {
    const { body } = await t.request('/desktop/connect', { method: 'POST' });
    expect(JSON.stringify(body)).not.toMatch(/token-[ab]/);
  });
});

describe('S3 CORS over the wire', () => {
  const origin = 'https://parent.example';
  test('an allowed origin gets its headers on answers and refusals, another one none', async () => {
    t.security.allowedOrigins = [origin];
    const preflight = await t.request('/desktop/command', {
      method: 'OPTIONS',
      token: null,
      headers: { origin },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe(origin);
    expect(preflight.headers.get('access-control-allow-methods')).toContain('POST');
    for (const token of [VIEW, null]) {
      const { headers } = await t.request('/desktop/status', { token, headers: { origin } });
      expect(headers.get('access-control-allow-origin')).toBe(origin);
    }
    const evil = await t.request('/desktop/status', { headers: { origin: 'https://evil.example' } });
    expect(evil.status).toBe(403);
    expect(evil.headers.get('access-control-allow-origin')).toBeNull();
  });
});
