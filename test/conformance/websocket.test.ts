/** Contract section 5: hello, welcome, frames both ways, close codes. */
import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import {
  openRaw,
  openReliable,
  type RawClient,
  type RawOptions,
  UpgradeRefused,
} from '../helpers/ws-client.ts';
import { CLIENTS, ends, notify, notifyMany, skipToNow } from './sources.ts';
import { EXTERNAL, useTarget } from './target.ts';

const target = useTarget();
const open: RawClient[] = [];

const raw = async (more: Partial<RawOptions> = {}): Promise<RawClient> => {
  const client = await openRaw({ url: target.url, token: target.view, ...more });
  open.push(client);
  return client;
};
const reliable = async (clientId?: string, resume?: unknown): Promise<RawClient> => {
  const client = await openReliable({
    url: target.url,
    token: target.view,
    ...(clientId !== undefined && { clientId }),
    resume,
  });
  open.push(client);
  return client;
};
const welcomed = async (client: RawClient) => client.next((f) => f.type === 'welcome');
const unwelcome = async (hello: unknown) => {
  const client = await raw({ protocols: ['playwarden.v1'] });
  client.send(hello);
  return (await client.closed).code;
};

afterEach(() => {
  for (const client of open.splice(0)) client.terminate();
});

describe('W1: the simple client', () => {
  it.each([[[]], [['playwarden.simple']]])(
    'W1: protocols %j are welcomed without a frame sent',
    async (protocols) => {
      const client = await raw({ protocols, path: `/?client_id=${CLIENTS.a}` });
      expect(client.protocol).toBe(protocols[0] ?? '');
      const welcome = await welcomed(client);
      expect(welcome.client_id).toBe(CLIENTS.a);
      expect(client.frames[0]).toBe(welcome);
    },
  );

  it('W1: a batch is followed by a ping whose payload is o:<offset of its last event>', async () => {
    await skipToNow(target, CLIENTS.a);
    const made = await notifyMany(target, 3);
    const client = await raw({ path: `/?client_id=${CLIENTS.a}`, autoPong: false });
    await client.until(() => client.events.find(made[2]!));
    const [last] = (await client.settledEvents()).slice(-1);
    expect(client.pings).toContain(`o:${last.meta.offset}`);
  });

  it('W1: a pong with that payload acknowledges', async () => {
    await skipToNow(target, CLIENTS.a);
    const fits = await notify(target);
    const client = await raw({ path: `/?client_id=${CLIENTS.a}` });
    await client.until(() => client.events.find(fits));
    await expect
      .poll(async () => (await target.http(`/desktop/status?client_id=${CLIENTS.a}`)).json.queued_events)
      .toBe(0);
  });

  it('W1: queued events come before live ones', async () => {
    await skipToNow(target, CLIENTS.a);
    const queued = await notifyMany(target, 3);
    const client = await raw({ path: `/?client_id=${CLIENTS.a}` });
    const live = await notify(target);
    const found = [];
    for (const fits of [...queued, live]) found.push(await client.until(() => client.events.find(fits)));
    const at = found.map((event) => client.frames.indexOf(event));
    expect(at).toEqual([...at].sort((a, b) => a - b));
  });

  it('W1: any path is taken', async () => {
    await welcomed(await raw({ path: `/some/where?client_id=${CLIENTS.a}` }));
  });
});

describe('W2: the reliable client', () => {
  it('W2: playwarden.v1 is selected and nothing is said before the hello', async () => {
    const client = await raw({ protocols: ['playwarden.v1'] });
    expect(client.protocol).toBe('playwarden.v1');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(client.frames).toEqual([]);
  });

  it('W2: without a hello within 5 s the link is closed with 4500', async () => {
    const since = Date.now();
    const client = await raw({ protocols: ['playwarden.v1'] });
    expect((await client.closed).code).toBe(4500);
    expect(Date.now() - since).toBeGreaterThan(4_500);
    expect(Date.now() - since).toBeLessThan(15_000);
  });

  it.each([
    ['another frame first', { type: 'ping' }],
    ['text that is not JSON', 'hello?'],
    ['a client_id of forbidden characters', { type: 'hello', client_id: 'not allowed!' }],
    ['a client_id of 65 characters', { type: 'hello', client_id: 'x'.repeat(65) }],
    ['a resume that is no position', { type: 'hello', client_id: CLIENTS.a, resume: 'then' }],
  ])('W2: %s is closed with 4500', async (_what, hello) => {
    expect(await unwelcome(hello)).toBe(4500);
  });

  it('W2: resume continues after the given position, whatever the cursor says', async () => {
    await skipToNow(target, CLIENTS.a);
    const { epoch, last } = await ends(target);
    await notifyMany(target, 3);
    await skipToNow(target, CLIENTS.a);
    const client = await reliable(CLIENTS.a, { epoch, offset: last + 1 });
    const first = await client.next((f) => f.meta);
    expect(first.meta.offset).toBe(last + 2);
  });

  it('W2: without resume the cursor decides', async () => {
    await skipToNow(target, CLIENTS.a);
    const { last } = await ends(target);
    await notify(target);
    const client = await reliable(CLIENTS.a);
    expect((await client.next((f) => f.meta)).meta.offset).toBe(last + 1);
  });

  it('W2: resume "now" leaves out what is queued', async () => {
    await skipToNow(target, CLIENTS.a);
    const old = await notify(target);
    const client = await reliable(CLIENTS.a, 'now');
    await welcomed(client);
    const fresh = await notify(target);
    await client.until(() => client.events.find(fresh));
    expect(client.events.find(old)).toBeUndefined();
  });

  it('W2: at most 256 events are in flight; an acknowledgement lets the rest come', async () => {
    await skipToNow(target, CLIENTS.a);
    const { epoch, last } = await ends(target);
    while ((await ends(target)).last < last + 300) await notifyMany(target, 10);
    const client = await reliable(CLIENTS.a, { epoch, offset: last });
    await client.until(() => (client.events.length >= 256 ? true : undefined));
    const flight = await client.settledEvents(500);
    expect(flight.length).toBe(256);
    client.send({ type: 'ack', epoch, offset: last + 100 });
    await client.until(() => client.events.find((e) => e.meta.offset === last + 300));
  });
});

describe('W3: the welcome', () => {
  it('W3: has every field of the contract', async () => {
    await skipToNow(target, CLIENTS.a);
    const { epoch, last } = await ends(target);
    expect(await welcomed(await reliable(CLIENTS.a))).toEqual({
      type: 'welcome',
      message: expect.any(String),
      protocol: 1,
      client_id: CLIENTS.a,
      agent_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      epoch,
      first_offset: expect.any(Number),
      last_offset: last,
      acked_epoch: epoch,
      acked_offset: last,
      recovered: true,
      gap: null,
      timestamp: expect.stringMatching(/Z$/),
    });
  });

  it('W3: a client that names itself not is "default"', async () => {
    expect((await welcomed(await reliable())).client_id).toBe('default');
  });

  it('W3: recovered is true when the position is kept', async () => {
    const { epoch, last } = await ends(target);
    const welcome = await welcomed(await reliable(CLIENTS.a, { epoch, offset: last }));
    expect(welcome).toMatchObject({ recovered: true, gap: null });
  });

  it('E5: an unknown epoch means the position before the first kept event, recovered false', async () => {
    const client = await reliable(CLIENTS.a, { epoch: 'nobody-gave-this', offset: 7 });
    const welcome = await welcomed(client);
    expect(welcome.recovered).toBe(false);
    expect((await client.next((f) => f.meta)).meta.offset).toBe(welcome.first_offset);
  });
});

describe('W4: frames in', () => {
  it('W4: ping is answered with pong and a timestamp', async () => {
    const client = await reliable(CLIENTS.a, 'now');
    client.send({ type: 'ping' });
    expect((await client.next((f) => f.type === 'pong')).timestamp).toMatch(/Z$/);
  });

  it('W4: desktop_ready is accepted and does nothing', async () => {
    await skipToNow(target, CLIENTS.a);
    const client = await reliable(CLIENTS.a);
    await welcomed(client);
    client.send({ type: 'desktop_ready' });
    client.send({ type: 'ping' });
    expect((await client.next()).type).toBe('pong');
  });

  it('W4: a command is answered with command_result under the same command_id', async () => {
    const client = await reliable(CLIENTS.a, 'now');
    const command_id = randomUUID();
    client.send({ type: 'command', payload: { command: 'get_live_status', command_id } });
    const result = await client.next((f) => f.type === 'command_result');
    expect(result).toMatchObject({ command_id, status: 'success', command: 'get_live_status' });
  });

  it('S5: a command that changes something is refused to the view token on the WebSocket too', async () => {
    const client = await reliable(CLIENTS.a, 'now');
    const command_id = randomUUID();
    client.send({ type: 'command', payload: { command: 'pause', command_id } });
    const result = await client.next((f) => f.type === 'command_result');
    expect(result).toMatchObject({ command_id, problem: { status: 403 } });
  });

  it.each([
    ['not JSON', '{"type":'],
    ['a JSON array', '[]'],
    ['an unknown type', { type: 'sing' }],
    ['an ack without an offset', { type: 'ack', epoch: 'x' }],
  ])('W4: %s is answered with an error frame and the link stays', async (_what, frame) => {
    const client = await reliable(CLIENTS.a, 'now');
    await welcomed(client);
    client.send(frame);
    const { problem } = await client.next((f) => f.type === 'error');
    expect(problem).toMatchObject({
      type: expect.stringMatching(/^urn:playwarden:problem:/),
      status: expect.any(Number),
      detail: expect.any(String),
    });
    client.send({ type: 'ping' });
    await client.next((f) => f.type === 'pong');
  });

  it('W4: the eleventh bad frame of a minute closes with 4500', async () => {
    const client = await reliable(CLIENTS.a, 'now');
    await welcomed(client);
    for (let i = 0; i < 11; i++) client.send('?');
    expect((await client.closed).code).toBe(4500);
    expect(client.frames.filter((f) => f.type === 'error').length).toBeGreaterThanOrEqual(10);
  });
});

describe('W5, W6, W7: the end of a link', () => {
  it('W6: acknowledging what was never sent is closed with 4504', async () => {
    const client = await reliable(CLIENTS.a, 'now');
    const { epoch, last_offset } = await welcomed(client);
    client.send({ type: 'ack', epoch, offset: last_offset + 1_000 });
    expect((await client.closed).code).toBe(4504);
  });

  it('E5: an acknowledgement of another epoch is ignored on a live link', async () => {
    const client = await reliable(CLIENTS.a, 'now');
    await welcomed(client);
    client.send({ type: 'ack', epoch: 'an-older-one', offset: 1 });
    client.send({ type: 'ping' });
    await client.next((f) => f.type === 'pong');
  });

  it('W6: a newer connection of the same named client replaces the older one with 4502', async () => {
    const older = await reliable(CLIENTS.a, 'now');
    await welcomed(older);
    await welcomed(await reliable(CLIENTS.a, 'now'));
    expect((await older.closed).code).toBe(4502);
  });

  it('W6: clients of different names do not replace each other', async () => {
    const one = await reliable(CLIENTS.a, 'now');
    await welcomed(one);
    await welcomed(await reliable(CLIENTS.b, 'now'));
    one.send({ type: 'ping' });
    await one.next((f) => f.type === 'pong');
  });

  it('W6: a second nameless client displaces the first with 4002, to come back after 30 s', async () => {
    const first = await raw();
    await welcomed(first);
    await welcomed(await raw());
    expect((await first.closed).code).toBe(4002);
    expect(first.frames.at(-1)).toEqual({ type: 'bye', code: 4002, retry_after_ms: 30_000 });
  });

  it('W5: a bye with the code and when to come back goes before a close', async () => {
    const older = await reliable(CLIENTS.a, 'now');
    await welcomed(older);
    await welcomed(await reliable(CLIENTS.a, 'now'));
    await older.closed;
    expect(older.frames.at(-1)).toEqual({ type: 'bye', code: 4502, retry_after_ms: expect.any(Number) });
  });

  it('W6: a frame over 64 KiB ends the link with 1006 or 1009', async () => {
    const client = await reliable(CLIENTS.a, 'now');
    await welcomed(client);
    client.send({ type: 'ping', padding: 'x'.repeat(70_000) });
    expect([1006, 1009]).toContain((await client.closed).code);
  });

  it('S6: at most 16 WebSockets, 503 beyond', async () => {
    const sockets = [];
    for (let i = 0; i < 16; i++) sockets.push(await raw({ protocols: ['playwarden.v1'] }));
    const refused = await raw({ protocols: ['playwarden.v1'] }).catch((error) => error);
    expect(refused).toBeInstanceOf(UpgradeRefused);
    expect(refused.status).toBe(503);
    for (const socket of sockets) socket.terminate();
    await expect
      .poll(async () => (await raw({ protocols: ['playwarden.v1'] }).catch(() => null)) !== null)
      .toBe(true);
  });

  it.skipIf(EXTERNAL)('C4: a stop of the agent says bye with 4005 and closes so', async () => {
    const client = await reliable(CLIENTS.a, 'now');
    await welcomed(client);
    await target.restart('SIGTERM');
    expect((await client.closed).code).toBe(4005);
    expect(client.frames.at(-1)).toMatchObject({ type: 'bye', code: 4005 });
  });

  it('W7: the server pings a silent client within 25 s and keeps the link that pongs', async () => {
    await skipToNow(target, CLIENTS.a);
    const client = await reliable(CLIENTS.a);
    await welcomed(client);
    await client.until(() => client.pings[0], 33_000);
    expect(client.isOpen).toBe(true);
  });

  it('W6: a client that answers no ping is closed with 4004 or dropped after 35 s', async () => {
    const client = await raw({ protocols: ['playwarden.v1'], autoPong: false });
    client.send({ type: 'hello', client_id: CLIENTS.b, resume: 'now' });
    await welcomed(client);
    const { code } = await client.closed;
    // What happened to be told meanwhile was not acknowledged either, and after 30 s that comes first.
    const told = client.frames.filter((frame) => frame.meta !== undefined);
    expect({ told, code }).toEqual({
      told,
      code: expect.toBeOneOf(told.length > 0 ? [4003, 4004, 1006] : [4004, 1006]),
    });
  });
});

describe('the upgrade', () => {
  it('S4: the token may come as the subprotocol bearer.<token>, which is never selected', async () => {
    for (const protocol of ['playwarden.v1', 'playwarden.simple']) {
      for (const protocols of [
        [protocol, `bearer.${target.view}`],
        [`bearer.${target.view}`, protocol],
      ]) {
        expect((await raw({ token: null, protocols })).protocol).toBe(protocol);
      }
    }
  });

  it.each([
    ['no token', { token: null }],
    ['an empty bearer', { token: null, headers: { Authorization: 'Bearer ' } }],
    ['a wrong subprotocol token', { token: null, protocols: ['playwarden.v1', 'bearer.wrong'] }],
  ])('S4: %s is 401 before the upgrade', async (_what, options) => {
    const refused = await raw(options).catch((error) => error);
    expect(refused).toBeInstanceOf(UpgradeRefused);
    expect(refused.status).toBe(401);
  });

  it('S3: a foreign Origin is 403 before the upgrade', async () => {
    const refused = await raw({ headers: { Origin: 'https://evil.example' } }).catch((error) => error);
    expect(refused.status).toBe(403);
  });

  it("S3: the server's own origin is let in", async () => {
    const client = await raw({
      headers: { Origin: `http://localhost:${target.port}` },
      protocols: ['playwarden.v1'],
    });
    expect(client.isOpen).toBe(true);
  });

  it('W1: a simple client with a bad client_id is refused or closed, never served under that name', async () => {
    const client = await raw({ path: '/?client_id=not%20allowed!' }).catch((error) => error);
    if (client instanceof UpgradeRefused) expect(client.status).toBe(422);
    else expect((await client.closed).code).toBe(4500);
  });
});
