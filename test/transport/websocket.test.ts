/** WebSockets over a real server: upgrade, both kinds of client, closes, and what a stalled reader costs. */
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { numbered } from '../helpers/memory-store.ts';
import { CONTROL, type TestServer, testServer, VIEW } from '../helpers/transport-server.ts';

let t: TestServer;
beforeEach(async () => {
  t = await testServer();
});
afterEach(async () => {
  await t.stop();
  expect(t.errors).toEqual([]);
});

const RELIABLE = { protocols: ['playwarden.v1'] };
const append = (count: number) => {
  for (let i = 1; i <= count; i += 1) t.log.append([numbered(i)]);
};
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const ack = (offset: number) => ({ type: 'ack', epoch: 'epoch-1', offset });

const upgradeHead = (token: string, path = '/') =>
  [
    `GET ${path} HTTP/1.1`,
    `Host: localhost:${t.port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version: 13',
    `Authorization: Bearer ${token}`,
    '\r\n',
  ].join('\r\n');

describe('upgrade', () => {
  test('S4 without a token, with a wrong one, or from a foreign page it is refused before the upgrade', async () => {
    expect(await t.socket({ token: null }).closed).toBe(401);
    expect(await t.socket({ token: 'null' }).closed).toBe(401);
    expect(await t.socket({ token: null, path: '/health' }).closed).toBe(401);
    expect(await t.socket({ headers: { origin: 'https://evil.example' } }).closed).toBe(403);
    expect(await t.socket({ headers: { host: 'evil.example' } }).closed).toBe(403);
  });

  test('any path will do, with either token', async () => {
    expect((await t.socket({ path: '/a/b?x=1', token: VIEW }).frame('welcome')).client_id).toBe('default');
  });

  test.each([
    [[`bearer.${VIEW}`, 'playwarden.v1'], 'playwarden.v1'],
    [['playwarden.simple', `bearer.${CONTROL}`], 'playwarden.simple'],
  ])('S4 a browser offers %j: the server selects %s', async (protocols, selected) => {
    const socket = t.socket({ token: null, protocols });
    socket.hello();
    await socket.frame('welcome');
    expect(socket.ws.protocol).toBe(selected);
  });

  test('S4 bearer.* is never selected, not even alone', async () => {
    const head = upgradeHead(VIEW).replace('Authorization: Bearer ', 'Sec-WebSocket-Protocol: bearer.');
    const answer = await t.raw(head);
    expect(answer).toMatch(/^HTTP\/1\.1 101 /);
    expect(answer.slice(0, answer.indexOf('\r\n\r\n'))).not.toMatch(/sec-websocket-protocol/i);
  });

  test('C10 websocket.enabled false refuses with 404', async () => {
    t.transports.websocketEnabled = false;
    expect(await t.socket().closed).toBe(404);
  });

  test('another version is 426, a bad name in the URL 422', async () => {
    const old = upgradeHead(CONTROL).replace('Version: 13', 'Version: 8');
    expect(await t.raw(old)).toMatch(/^HTTP\/1\.1 426 [\s\S]*Sec-WebSocket-Version: 13\r\n/);
    expect(await t.socket({ path: '/?client_id=a%20b' }).closed).toBe(422);
  });

  test('D9 two names in the URL are the same client here as in a poll: the last', async () => {
    const twice = '?client_id=one&client_id=two';
    expect((await t.socket({ path: `/${twice}` }).frame('welcome')).client_id).toBe('two');
    await t.request(`/desktop/events/poll${twice}`);
    expect(t.clients.list().map((c) => c.clientId)).toEqual(['two']);
  });

  test('S6 the 17th socket is 503, and there is room again when one has gone', async () => {
    const sockets = range(1, 16).map(() => t.socket(RELIABLE));
    await Promise.all(sockets.map((s) => new Promise((resolve) => s.ws.once('open', resolve))));
    expect(await t.socket(RELIABLE).closed).toBe(503);
    sockets[0]?.ws.close();
    await sockets[0]?.closed;
    expect((await t.socket(RELIABLE).hello().frame('welcome')).client_id).toBe('default');
  });

  test('a plain GET of / is an unknown route', async () => {
    expect((await t.request('/')).status).toBe(404);
    expect((await t.request('/', { token: null })).status).toBe(401);
  });
});

describe('simple client', () => {
  test('W1 D3 welcome, what is queued, what comes; its pongs acknowledge', async () => {
    append(300);
    const socket = t.socket({ path: '/?client_id=tv' });
    expect(await socket.frame('welcome')).toMatchObject({
      client_id: 'tv',
      last_offset: 300,
      recovered: true,
    });
    expect(await socket.untilEvents(300)).toEqual(range(1, 300));
    append(1);
    await socket.untilEvents(301);
    await socket.settled();
    expect(t.clients.get('tv')?.cursor).toEqual({ epoch: 'epoch-1', offset: 301 });
    expect(socket.pings.slice(0, 2)).toEqual(['o:256', 'o:300']);
  });

  test('W1 without a pong nothing is acknowledged: all of it again next time', async () => {
    append(2);
    const first = t.socket({ autoPong: false });
    await first.untilEvents(2);
    await first.settled();
    expect(t.clients.get('default')?.cursor).toBeNull();
    const second = t.socket();
    expect(await first.closed).toBe(4002);
    expect(first.frames.at(-1)).toEqual({ type: 'bye', code: 4002, retry_after_ms: 30_000 });
    expect(await second.untilEvents(2)).toEqual([1, 2]);
    expect(second.events.map((e) => e.meta.redelivered)).toEqual([true, true]);
  });
});

describe('reliable client', () => {
  test('W2 window, acknowledgement, resume', async () => {
    append(700);
    const socket = t.socket(RELIABLE).hello({ client_id: 'desk-1' });
    await socket.untilEvents(256);
    await socket.settled();
    expect(socket.offsets).toEqual(range(1, 256));
    socket.send(ack(256));
    await socket.untilEvents(512);
    socket.send(ack(512));
    expect(await socket.untilEvents(700)).toEqual(range(1, 700));
    socket.ws.terminate();
    await socket.closed;
    const again = t
      .socket(RELIABLE)
      .hello({ client_id: 'desk-1', resume: { epoch: 'epoch-1', offset: 690 } });
    expect(await again.untilEvents(10)).toEqual(range(691, 700));
    expect(await again.frame('welcome')).toMatchObject({ acked_offset: 512, recovered: true });
  });

  test('D2 5,000 events while it acknowledges come once each, in order', async () => {
    const socket = t.socket(RELIABLE).hello({ client_id: 'desk-1' });
    await socket.frame('welcome');
    socket.ws.on('message', () => {
      const last = socket.offsets.at(-1);
      if (last && last % 100 === 0) socket.send(ack(last));
    });
    for (let i = 0; i < 50; i += 1) {
      append(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await socket.untilEvents(5_000)).toEqual(range(1, 5_000));
  });

  test('W4 a command over the socket has the role of the token', async () => {
    const socket = t.socket({ ...RELIABLE, token: VIEW }).hello();
    await socket.frame('welcome');
    socket.send({ type: 'command', payload: { command: 'force_close', command_id: 'c1' } });
    expect(await socket.frame('command_result')).toMatchObject({
      command_id: 'c1',
      status: 'error',
      problem: { status: 403, type: 'urn:playwarden:problem:control-required' },
    });
  });

  test('W6 a newer connection of the same name: 4502 for the older one', async () => {
    const first = t.socket(RELIABLE).hello({ client_id: 'desk-1' });
    await first.frame('welcome');
    const second = t.socket(RELIABLE).hello({ client_id: 'desk-1' });
    expect(await first.closed).toBe(4502);
    expect((await second.frame('welcome')).client_id).toBe('desk-1');
    expect(first.frames.at(-1)).toMatchObject({ type: 'bye', code: 4502 });
  });

  test('W6 what was never sent is 4504', async () => {
    const socket = t.socket(RELIABLE).hello({ client_id: 'desk-1' });
    await socket.frame('welcome');
    socket.send(ack(1));
    expect(await socket.closed).toBe(4504);
  });
});

describe('bad frames', () => {
  test('W4 binary and nonsense are answered, the eleventh in a minute is 4500', async () => {
    const socket = t.socket();
    await socket.frame('welcome');
    for (let i = 0; i < 9; i += 1) socket.send('nonsense');
    socket.send(new Uint8Array([1, 2, 3]));
    await socket.settled();
    expect(socket.frames.filter((f) => f.type === 'error')).toHaveLength(10);
    socket.send('nonsense');
    expect(await socket.closed).toBe(4500);
  });

  test('a frame of 64 KiB is taken, a larger one closes with 1009 or 1006', async () => {
    const socket = t.socket();
    await socket.frame('welcome');
    const filler = (bytes: number) => `{"type":"ping","x":"${'y'.repeat(bytes - 22)}"}`;
    expect(filler(65_536)).toHaveLength(65_536);
    socket.send(filler(65_536));
    await socket.frame('pong');
    socket.send(filler(65_537));
    expect([1006, 1009]).toContain(await socket.closed);
  });
});

describe('C4 tokens and stopping', () => {
  test('W6 4501 for sockets whose token was rotated, and for those only', async () => {
    const view = t.socket({ token: VIEW, path: '/?client_id=v' });
    const control = t.socket({ token: CONTROL, path: '/?client_id=c' });
    await Promise.all([view.frame('welcome'), control.frame('welcome')]);
    t.security.viewToken = 'another-view-token';
    t.server.disconnectWrongTokens();
    expect(await view.closed).toBe(4501);
    await control.settled();
    expect((await t.request('/desktop/status', { token: VIEW })).status).toBe(401);
  });

  test('W6 a token that is required from now on: none or a wrong one is 4501, one that allows less 4005, a right one stays', async () => {
    t.security.requireToken = false;
    const shown = (token: string | null, id: string) => t.socket({ token, path: `/?client_id=${id}` });
    const [none, wrong, view, right] = [
      shown(null, 'none'),
      shown('wrong', 'wrong'),
      shown(VIEW, 'view'),
      shown(CONTROL, 'right'),
    ];
    const offered = t.socket({
      token: null,
      protocols: ['playwarden.simple', `bearer.${CONTROL}`],
      path: '/?client_id=offered',
    });
    await Promise.all([none, wrong, view, right, offered].map((socket) => socket.frame('welcome')));
    t.security.requireToken = true;
    t.server.disconnectWrongTokens();
    expect(await none.closed).toBe(4501);
    expect(await wrong.closed).toBe(4501);
    expect(await view.closed).toBe(4005);
    await Promise.all([right.settled(), offered.settled()]);
  });

  test('D8 a poll waits on through a reload that changes no token, and ends with a rotation', async () => {
    const poll = (id: string) =>
      t.request(`/desktop/events/poll?client_id=${id}&wait=25`, { token: CONTROL });
    const waiting = poll('p');
    await expect.poll(() => t.server.connectedClients()).toBe(1);
    t.server.disconnectWrongTokens();
    append(1);
    expect((await waiting).body.count).toBe(1);
    const rotated = poll('p');
    await expect.poll(() => t.clients.get('p')?.cursor?.offset).toBe(1);
    t.security.viewToken = 'another-view-token';
    t.server.disconnectWrongTokens();
    expect((await rotated).body.count).toBe(0);
  });

  test('C10 a transport that a reload switches off lets go of who is on it', async () => {
    const socket = t.socket(RELIABLE).hello();
    const silent = t.socket(RELIABLE);
    await socket.frame('welcome');
    await expect.poll(async () => (await t.request('/desktop/status')).body.websocket_clients).toBe(2);
    const poll = t.request('/desktop/events/poll?client_id=p&wait=25');
    await expect.poll(() => t.server.connectedClients()).toBe(2);
    t.transports.websocketEnabled = false;
    t.server.closeShutOut();
    expect(await socket.closed).toBe(4005);
    expect(await silent.closed).toBe(4005);
    expect(socket.frames.at(-1)).toEqual({ type: 'bye', code: 4005, retry_after_ms: 500 });
    append(1);
    expect((await poll).body.count).toBe(1);
    const next = t.request('/desktop/events/poll?client_id=p&wait=25');
    await expect.poll(() => t.clients.get('p')?.cursor?.offset).toBe(1);
    t.transports.pollingEnabled = false;
    t.server.closeShutOut();
    expect((await next).body.count).toBe(0);
  });

  test('S3 a page whose origin a reload takes away is let go of, and nobody else', async () => {
    t.security.allowedOrigins = ['http://app.test'];
    const from = (Origin: string, id: string) => t.socket({ headers: { Origin }, path: `/?client_id=${id}` });
    const page = from('http://app.test', 'page');
    const own = from(`http://localhost:${t.port}`, 'own');
    const program = t.socket({ path: '/?client_id=program' });
    await Promise.all([page, own, program].map((socket) => socket.frame('welcome')));
    t.server.closeShutOut();
    await page.settled();
    t.security.allowedOrigins = [];
    t.server.closeShutOut();
    expect(await page.closed).toBe(4005);
    await Promise.all([own.settled(), program.settled()]);
  });

  test('S3 a waiting poll of such a page ends without an event, in an answer that its browser keeps from it', async () => {
    t.security.allowedOrigins = ['http://app.test'];
    t.server.closeShutOut();
    const poll = () =>
      t.request('/desktop/events/poll?client_id=p&wait=25', { headers: { Origin: 'http://app.test' } });
    const first = poll();
    await expect.poll(() => t.server.connectedClients()).toBe(1);
    t.server.closeShutOut();
    append(1);
    const whole = await first;
    expect(whole.body.count).toBe(1);
    expect(whole.headers.get('access-control-allow-origin')).toBe('http://app.test');
    const next = poll();
    await expect.poll(() => t.clients.get('p')?.cursor?.offset).toBe(1);
    t.security.allowedOrigins = [];
    t.server.closeShutOut();
    append(1);
    const { body, headers } = await next;
    expect(body.count).toBe(0);
    expect(headers.get('access-control-allow-origin')).toBeNull();
  });

  test('stopping answers polls, tells sockets 4005, waits for nobody and frees the port', async () => {
    const socket = t.socket(RELIABLE).hello();
    const silent = t.socket(RELIABLE);
    await socket.frame('welcome');
    const poll = t.request('/desktop/events/poll?client_id=p&wait=25');
    await expect.poll(() => t.server.connectedClients()).toBe(2);
    const began = performance.now();
    await t.server.stop();
    expect(performance.now() - began).toBeLessThan(2_500);
    expect(await poll).toMatchObject({ status: 200, body: { events: [], count: 0 } });
    expect(await socket.closed).toBe(4005);
    expect(await silent.closed).toBe(4005);
    expect(socket.frames.at(-1)).toEqual({ type: 'bye', code: 4005, retry_after_ms: 500 });
    expect(t.log.listeners).toBe(0);
    const again = await testServer({ port: t.port });
    expect(await again.raw(`GET /health HTTP/1.1\r\nHost: localhost:${t.port}\r\n\r\n`)).toMatch(/ 200 OK/);
    await again.stop();
  });

  test('stopping twice is stopping once, and at once when nobody is there', async () => {
    const s = await testServer();
    const began = performance.now();
    await Promise.all([s.server.stop(), s.server.stop()]);
    expect(performance.now() - began).toBeLessThan(300);
  });
});

describe('D6 a stalled reader', () => {
  test('costs bounded memory, slows nobody, and gets the close code when it reads again', {
    timeout: 30_000,
  }, async () => {
    const stalled = connect(t.port, '127.0.0.1');
    stalled.write(upgradeHead(VIEW, '/?client_id=stalled'));
    await new Promise((resolve) => stalled.once('readable', resolve));
    const healthy = t.socket(RELIABLE).hello({ client_id: 'healthy' });
    healthy.ws.on('message', () => {
      const last = healthy.offsets.at(-1);
      if (last && last % 50 === 0) healthy.send(ack(last));
    });
    await healthy.frame('welcome');
    const body = { ...numbered(1), data: { message: 'x'.repeat(30_000) } } as never;
    for (let i = 0; i < 600; i += 1) {
      t.log.append([body]);
      if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await healthy.untilEvents(600)).toEqual(range(1, 600));
    const sent = t.clients.get('stalled')?.sent?.offset ?? 0;
    expect(sent).toBeLessThanOrEqual(256);
    t.security.viewToken = 'rotated';
    t.server.disconnectWrongTokens();
    const chunks: Buffer[] = [];
    stalled.on('data', (chunk) => chunks.push(chunk));
    await new Promise((resolve) => stalled.once('close', resolve));
    const received = Buffer.concat(chunks);
    const closeFrame = received.lastIndexOf(Buffer.from([0x11, 0x95]));
    expect(received.subarray(closeFrame - 2, closeFrame)[0]).toBe(0x88);
    expect(received.toString('latin1')).toContain('"type":"bye","code":4501');
  });
});
