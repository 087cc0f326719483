/** Contract section 3: who may talk, and in which order a request is refused. */
import { describe, expect, it } from 'vitest';
import { rawExchange } from '../helpers/http.ts';
import { EXTERNAL, useTarget } from './target.ts';

const target = useTarget();
const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0);
const EVIL = { Origin: 'https://evil.example' };

describe('S1, S2: address and Host', () => {
  it('S2: localhost, 127.0.0.1 and [::1] with the port are let in', async () => {
    for (const name of ['localhost', '127.0.0.1', '[::1]']) {
      const headers = { Host: `${name}:${target.port}` };
      expect((await target.http('/desktop/status', { headers })).status, name).toBe(200);
    }
  });

  it.each(['evil.example', 'localhost', 'localhost:1', '127.0.0.1.evil.example:{port}', 'localhost:{port}x'])(
    'S2: Host %s is 403 before anything else',
    async (host) => {
      const headers = { Host: host.replace('{port}', String(target.port)) };
      for (const path of ['/health', '/desktop/status', '/nothing']) {
        const answer = await target.http(path, { headers, token: null });
        expect(answer.status, path).toBe(403);
        expect(answer.json.type).toBe('urn:playwarden:problem:host-refused');
      }
    },
  );

  it.each([
    ['no Host', 'GET /health HTTP/1.1\r\n\r\n'],
    ['a doubled Host', 'GET /health HTTP/1.1\r\nHost: localhost:{port}\r\nHost: evil.example\r\n\r\n'],
    ['two right Hosts', 'GET /health HTTP/1.1\r\nHost: localhost:{port}\r\nHost: localhost:{port}\r\n\r\n'],
    ['an absolute form', 'GET http://evil.example/health HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n'],
  ])('S2: %s never reaches the route', async (_what, bytes) => {
    const answer = await rawExchange(target.port, bytes.replaceAll('{port}', String(target.port)));
    expect([0, 400, 403, 505]).toContain(statusOf(answer));
    expect(answer).not.toContain('"version"');
  });

  it('S1: the port answers on ::1 as well where the machine has it', async () => {
    const url = `http://[::1]:${target.port}`;
    const answer = await target.http('/health', { url, token: null }).catch((error) => error);
    if (answer instanceof Error)
      expect(answer).toMatchObject({ code: expect.stringMatching(/EADDRNOTAVAIL|EAFNOSUPPORT/) });
    else expect(answer.status).toBe(200);
  });
});

describe('S3: Origin', () => {
  it.each([
    'https://evil.example',
    'null',
    'http://localhost',
    'https://localhost:{port}',
    'http://localhost:{port}.evil',
  ])('S3: Origin %s is 403 and gets no CORS headers', async (origin) => {
    const headers = { Origin: origin.replace('{port}', String(target.port)) };
    const answer = await target.http('/desktop/status', { headers });
    expect(answer.status).toBe(403);
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
  });

  it("S3: the server's own origin is let in with CORS headers, its OPTIONS is 204 without a token", async () => {
    const Origin = `http://localhost:${target.port}`;
    const answer = await target.http('/desktop/status', { headers: { Origin } });
    expect(answer.status).toBe(200);
    expect(answer.headers['access-control-allow-origin']).toBe(Origin);
    const preflight = await target.http('/desktop/command', {
      method: 'OPTIONS',
      token: null,
      headers: { Origin, 'Access-Control-Request-Method': 'POST' },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers['access-control-allow-origin']).toBe(Origin);
  });

  it('S3: the OPTIONS of a foreign origin is 403', async () => {
    const answer = await target.http('/desktop/command', { method: 'OPTIONS', token: null, headers: EVIL });
    expect(answer.status).toBe(403);
  });
});

describe('S4: tokens', () => {
  it('S4: no token, "null", a shorter and a longer one are 401 with one body', async () => {
    const bodies = [];
    for (const token of [null, 'null', target.view.slice(0, -1)]) {
      const answer = await target.http('/desktop/status', { token });
      expect(answer.status).toBe(401);
      const { timestamp: _, ...body } = answer.json;
      bodies.push(body);
    }
    expect(new Set(bodies.map((b) => JSON.stringify(b))).size).toBe(1);
  });

  it.each(['Basic {t}', '{t}', 'Token {t}'])('S4: Authorization "%s" is 401', async (form) => {
    const headers = { Authorization: form.replace('{t}', target.view) };
    expect((await target.http('/desktop/status', { token: null, headers })).status).toBe(401);
  });

  it('S7: a token in the URL opens nothing', async () => {
    for (const key of ['token', 'access_token']) {
      const answer = await target.http(`/desktop/status?${key}=${target.view}`, { token: null });
      expect(answer.status).toBe(401);
    }
  });

  it('S6: an unknown route without a right token is 401', async () => {
    expect((await target.http('/nothing', { token: null })).status).toBe(401);
  });
});

describe('S5: what the view token may', () => {
  it.each([
    ['GET', '/desktop/status', undefined],
    ['POST', '/desktop/connect', {}],
    ['GET', '/desktop/events/poll', undefined],
    ['GET', '/desktop/usage', undefined],
    ['POST', '/desktop/command', { command: 'get_live_status' }],
  ])('S5: %s %s is open to it', async (method, path, body) => {
    expect((await target.http(path, { method, body, token: target.view })).status).toBe(200);
  });

  it.skipIf(EXTERNAL).each([
    { command: 'force_close', parameters: {} },
    { command: 'set_time_limit', parameters: { minutes: null } },
    { command: 'extend_time', parameters: { minutes: 1 } },
    { command: 'pause', parameters: {} },
    { command: 'send_notification', parameters: { title: 'a', message: 'b' } },
  ])('S5: $command is 403 for it', async (body) => {
    const answer = await target.http('/desktop/command', { body, token: target.view });
    expect(answer.status).toBe(403);
    expect(answer.json.type).toBe('urn:playwarden:problem:control-required');
  });
});

describe('S6: the order of refusals', () => {
  it('S6: Host before Origin before token before route', async () => {
    const wrongHost = { Host: 'evil.example', ...EVIL };
    const host = await target.http('/nothing', { token: null, headers: wrongHost });
    expect(host.json.type).toBe('urn:playwarden:problem:host-refused');
    const origin = await target.http('/nothing', { token: null, headers: EVIL });
    expect(origin.json.type).toBe('urn:playwarden:problem:origin-refused');
    expect((await target.http('/nothing', { token: null })).status).toBe(401);
    expect((await target.http('/nothing')).status).toBe(404);
  });

  it.each([
    ['DELETE', '/desktop/status', 'GET'],
    ['POST', '/desktop/status', 'GET'],
    ['HEAD', '/desktop/status', 'GET'],
    ['GET', '/desktop/connect', 'POST'],
    ['GET', '/desktop/command', 'POST'],
    ['GET', '/sync/confirm', 'POST'],
    ['PUT', '/sync/confirm', 'POST'],
    ['POST', '/health', 'GET'],
  ])('S6: %s %s is 405 with Allow: %s', async (method, path, allowed) => {
    const answer = await target.http(path, { method });
    expect(answer.status).toBe(405);
    expect(answer.headers.allow).toContain(allowed);
  });

  it('S6: a body over 64 KiB is 413 before its media type is looked at', async () => {
    const body = 'x'.repeat(70_000);
    const answer = await target.http('/desktop/command', { body, headers: { 'Content-Type': 'text/plain' } });
    expect(answer.status).toBe(413);
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonp',
  ])('S6: media type %s is 415 and nothing is done', async (type) => {
    const body = JSON.stringify({ command: 'send_notification', parameters: { title: 'no', message: 'no' } });
    const answer = await target.http('/desktop/command', { body, headers: { 'Content-Type': type } });
    expect(answer.status).toBe(415);
  });

  it('S6: application/json with a charset is taken', async () => {
    const headers = { 'Content-Type': 'application/json; charset=utf-8' };
    const body = JSON.stringify({ command: 'get_live_status' });
    expect((await target.http('/desktop/command', { body, headers })).status).toBe(200);
  });

  it.each(['{', '', 'nul', '{"command":"get_live_status"} x', '{"a":1}\u0000'])(
    'S6: body %j is 400',
    async (body) => {
      const headers = { 'Content-Type': 'application/json' };
      const answer = await target.http('/desktop/command', { method: 'POST', body, headers });
      expect(answer.status).toBe(400);
    },
  );

  it.each(['[]', 'null', '"x"', '7', '{}'])('S6: body %s is 422', async (body) => {
    const headers = { 'Content-Type': 'application/json' };
    const answer = await target.http('/desktop/command', { body, headers });
    expect(answer.status).toBe(422);
    expect(answer.json.errors.length).toBeGreaterThan(0);
  });

  it('S6: every problem of a body is told at once', async () => {
    const body = { client_id: 'no way', client_version: 7 };
    const { status, json } = await target.http('/desktop/connect', { body });
    expect(status).toBe(422);
    expect(json.errors.map((e: { path: string }) => e.path).sort()).toEqual(['client_id', 'client_version']);
  });

  it('section 8: odd but possible requests are never a 5xx', async () => {
    const paths = [
      '/%',
      '/%00',
      '//',
      '/desktop/events/poll?after=%',
      '/desktop/status?client_id=%E0%A4%A',
      '/..%2f',
    ];
    for (const path of paths) expect((await target.http(path)).status, path).toBeLessThan(500);
  });
});

// Last: it uses up the minute's wrong tokens.
describe.skipIf(EXTERNAL)('S4: guessing', () => {
  it('S4: after ten wrong tokens in a minute wrong ones are 429, a right one is never locked out', async () => {
    const statuses = [];
    for (let i = 0; i < 13; i++) {
      statuses.push((await target.http('/desktop/status', { token: `wrong-${i}` })).status);
    }
    expect(statuses.at(-1)).toBe(429);
    expect((await target.http('/desktop/status', { token: target.view })).status).toBe(200);
    expect((await target.http('/desktop/status', { token: null })).status).toBe(401);
  });
});
