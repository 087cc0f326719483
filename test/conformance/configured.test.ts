/** What a configuration changes for a client: transports switched off, origins let in, signed commands, retention. */
import { randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterEach, describe, expect, it } from 'vitest';
import { openRaw, openReliable } from '../helpers/ws-client.ts';
import { CLIENTS, command, notify, postCommand, skipToNow } from './sources.ts';
import { EXTERNAL, useTarget } from './target.ts';

describe.skipIf(EXTERNAL)('C10: the WebSocket switched off', () => {
  const target = useTarget({ desktop_client: { websocket: { enabled: false } } });

  it('C10: upgrades are 404, and connect and status say so', async () => {
    const refused = await openRaw({ url: target.url, token: target.view }).catch((error) => error);
    expect(refused.status).toBe(404);
    expect((await target.http('/desktop/connect', { method: 'POST' })).json.websocket_available).toBe(false);
    expect((await target.http('/desktop/status')).json.websocket_available).toBe(false);
  });

  it('D3: the poll goes on', async () => {
    const fits = await notify(target);
    const { json } = await target.http(`/desktop/events/poll?client_id=${CLIENTS.a}`);
    expect(json.events.find(fits)).toBeDefined();
  });
});

describe.skipIf(EXTERNAL)('C10: polling switched off', () => {
  const target = useTarget({ desktop_client: { http_polling: { enabled: false } } });

  it('C10: the poll is 404, everything else is there', async () => {
    expect((await target.http('/desktop/events/poll')).status).toBe(404);
    expect((await target.http('/desktop/status')).status).toBe(200);
    const client = await openReliable({ url: target.url, token: target.view, clientId: CLIENTS.a });
    const fits = await notify(target);
    await client.until(() => client.events.find(fits));
    await client.close();
  });
});

describe.skipIf(EXTERNAL)('S3: allowed origins', () => {
  const origin = 'https://parent.example';
  const target = useTarget({ security: { allowed_origins: [origin] } });

  it('S3: an allowed origin gets CORS headers and its preflight, one like it is 403', async () => {
    const answer = await target.http('/desktop/status', { headers: { Origin: origin } });
    expect(answer.status).toBe(200);
    expect(answer.headers['access-control-allow-origin']).toBe(origin);
    const preflight = await target.http('/desktop/status', {
      method: 'OPTIONS',
      token: null,
      headers: {
        Origin: origin,
        'Access-Control-Request-Method': 'GET',
        'Access-Control-Request-Headers': 'authorization',
      },
    });
    expect(preflight.status).toBe(204);
    expect(String(preflight.headers['access-control-allow-headers']).toLowerCase()).toContain(
      'authorization',
    );
    for (const other of [
      `${origin}.evil`,
      `${origin}/`,
      origin.toUpperCase(),
      'https://parent.example:444',
    ]) {
      expect((await target.http('/desktop/status', { headers: { Origin: other } })).status, other).toBe(403);
    }
  });

  it('S4: an origin that is let in still needs a token', async () => {
    const answer = await target.http('/desktop/status', { token: null, headers: { Origin: origin } });
    expect(answer.status).toBe(401);
  });
});

describe.skipIf(EXTERNAL)('S5: no token required', () => {
  const target = useTarget({ security: { require_token: false } });

  it('S5: both roles are open, Host and Origin hold, and a warning tells of it', async () => {
    expect((await target.http('/desktop/status', { token: null })).status).toBe(200);
    const body = { command: 'send_notification', parameters: { title: 'a', message: 'b' } };
    expect((await target.http('/desktop/command', { token: null, body })).status).toBe(200);
    const evil = { Origin: 'https://evil.example' };
    expect((await target.http('/desktop/status', { token: null, headers: evil })).status).toBe(403);
    expect((await target.http('/health', { headers: { Host: 'evil.example' } })).status).toBe(403);
    expect(target.agent.stderr).toContain('require_token');
  });
});

describe.skipIf(EXTERNAL)('K5: parent keys', async () => {
  const parent = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const stranger = await generateKeyPair('EdDSA', { crv: 'Ed25519' });
  const jwk = await exportJWK(parent.publicKey);
  const target = useTarget({ security: { parent_keys: [jwk] } });

  const agentId = async () => (await target.http('/desktop/status')).json.agent_id as string;
  const sign = async (over: Record<string, unknown> = {}, key = parent.privateKey) => {
    const now = Math.floor(Date.now() / 1_000);
    const payload = {
      command: 'send_notification',
      parameters: { title: 'signed', message: 'text' },
      command_id: randomUUID(),
      aud: await agentId(),
      iat: now,
      exp: now + 60,
      ...over,
    };
    return new SignJWT(payload).setProtectedHeader({ alg: 'EdDSA' }).sign(key);
  };
  const slug = async (jws: string) => (await postCommand(target, { jws })).json.type?.split(':').at(-1);

  it('K5: a signed command is carried out whichever token brings it; the same JWS again is a duplicate', async () => {
    const jws = await sign();
    const first = await target.http('/desktop/command', { body: { jws }, token: target.view });
    expect(first.json).toMatchObject({ status: 'success', duplicate: false });
    expect((await postCommand(target, { jws })).json).toMatchObject({ status: 'success', duplicate: true });
  });

  it('K5: unsigned commands that change something are refused with either token, looking is open', async () => {
    const body = { command: 'send_notification', parameters: { title: 'a', message: 'b' } };
    for (const token of [target.view, target.control]) {
      expect((await target.http('/desktop/command', { body, token })).status).toBe(403);
    }
    expect((await command(target, { command: 'get_live_status' })).status).toBe('success');
  });

  it('K5: wrong key, altered, wrong aud, expired: 403, each with its own problem type', async () => {
    const good = await sign();
    const [head = '', payload = '', signature = ''] = good.split('.');
    const other = JSON.parse(Buffer.from(payload, 'base64url').toString());
    other.parameters.title = 'altered';
    const altered = [head, Buffer.from(JSON.stringify(other)).toString('base64url'), signature].join('.');
    const now = Math.floor(Date.now() / 1_000);
    const cases = [
      await sign({}, stranger.privateKey),
      await sign({ aud: randomUUID() }),
      await sign({ iat: now - 120, exp: now - 60 }),
      altered,
    ];
    for (const jws of cases) expect((await postCommand(target, { jws })).status).toBe(403);
    const slugs = await Promise.all(cases.slice(0, 3).map(slug));
    expect(new Set(slugs).size).toBe(3);
  });

  it.each(['command_id', 'iat', 'exp', 'aud'])('K5: without %s it is 403', async (claim) => {
    expect((await postCommand(target, { jws: await sign({ [claim]: undefined }) })).status).toBe(403);
  });
});

describe.skipIf(EXTERNAL)('D7: retention', () => {
  const target = useTarget({ retention: { max_events: 100 } });
  const clients: { close(): Promise<unknown> }[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.close();
  });

  it('D7: the log at its cap: the oldest dropped, told once as a gap with a count, on the WebSocket and in a poll', async () => {
    for (const id of [CLIENTS.a, CLIENTS.b]) await skipToNow(target, id);
    const { json: before } = await target.http('/desktop/connect', { body: { client_id: CLIENTS.a } });
    const last = async () => (await target.http('/desktop/status')).json.last_offset as number;
    while ((await last()) < before.last_offset + 260) await notify(target);
    // Applied at the start at the latest.
    await target.restart('SIGTERM');
    const connect = async () =>
      (await target.http('/desktop/connect', { body: { client_id: CLIENTS.a } })).json;
    await expect
      .poll(async () => (await connect()).first_offset, { timeout: 5_000 })
      .toBeGreaterThan(before.last_offset + 1);
    const c = await connect();
    const lost = c.first_offset - before.last_offset - 1;
    const gap = {
      from: { epoch: before.epoch, offset: before.last_offset },
      to: { epoch: before.epoch, offset: c.first_offset - 1 },
      lost,
      reason: expect.any(String),
    };
    const client = await openReliable({ url: target.url, token: target.view, clientId: CLIENTS.a });
    clients.push(client);
    const welcome = await client.next((f) => f.type === 'welcome');
    expect(welcome).toMatchObject({ recovered: false, gap });
    expect((await client.next((f) => f.meta)).meta.offset).toBe(c.first_offset);
    const { json: polled } = await target.http(
      `/desktop/events/poll?client_id=${CLIENTS.b}&epoch=${before.epoch}&after=${before.last_offset}`,
    );
    expect(polled.gap).toEqual(gap);
    expect(polled.events[0].meta.offset).toBe(c.first_offset);
    const { json: next } = await target.http(
      `/desktop/events/poll?client_id=${CLIENTS.b}&epoch=${polled.epoch}&after=${polled.next_after}`,
    );
    expect(next.gap).toBeNull();
  }, 60_000);

  it('D7 H1: a client that was seen and acknowledged nothing is told what went; one never seen starts at the oldest kept', async () => {
    const seen = await target.http('/desktop/connect', { body: { client_id: 'silent' } });
    expect(seen.json).toMatchObject({ acked_epoch: null, acked_offset: 0 });
    const from = { epoch: seen.json.epoch, offset: seen.json.first_offset - 1 };
    while ((await target.http('/desktop/status')).json.last_offset < seen.json.last_offset + 160)
      await notify(target);
    await target.restart('SIGTERM');
    const first = async () =>
      (await target.http('/desktop/connect', { body: { client_id: 'silent' } })).json.first_offset;
    await expect.poll(first, { timeout: 5_000 }).toBeGreaterThan(seen.json.last_offset);
    const to = { epoch: from.epoch, offset: (await first()) - 1 };
    const gap = { from, to, lost: to.offset - from.offset, reason: 'retention' };

    const polled = await target.http('/desktop/events/poll?client_id=silent');
    expect(polled.json.gap).toEqual(gap);
    const client = await openReliable({ url: target.url, token: target.view, clientId: 'silent' });
    clients.push(client);
    expect(await client.next((f) => f.type === 'welcome')).toMatchObject({ recovered: false, gap });

    const fresh = await openReliable({ url: target.url, token: target.view, clientId: 'fresh' });
    clients.push(fresh);
    expect(await fresh.next((f) => f.type === 'welcome')).toMatchObject({ recovered: true, gap: null });
  }, 60_000);
});
