/** Contract section 4: the table of routes, and H1 to H3. */
import { describe, expect, it } from 'vitest';
import { openReliable } from '../helpers/ws-client.ts';
import { CLIENTS, ends, notify, skipToNow } from './sources.ts';
import { EXTERNAL, useTarget } from './target.ts';

const target = useTarget({
  desktop_client: { http_polling: { interval: 0.5 } },
});
const UUID = /^[0-9a-f-]{36}$/;
const ISO_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

describe('every answer', () => {
  it.each([
    ['GET', '/desktop/status'],
    ['GET', '/desktop/events/poll'],
    ['GET', '/desktop/queue/sessions'],
    ['GET', '/desktop/queue/notifications'],
    ['GET', '/desktop/usage'],
    ['POST', '/desktop/connect'],
    ['POST', '/desktop/disconnect'],
  ])('section 4: %s %s says success, a UTC timestamp and no-store', async (method, path) => {
    const answer = await target.http(path, { method });
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ status: 'success', timestamp: expect.stringMatching(ISO_UTC) });
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
  });

  it('section 8: a refusal is problem+json with every field', async () => {
    const answer = await target.http('/no/such/route');
    expect(answer.status).toBe(404);
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(answer.json).toMatchObject({
      type: 'urn:playwarden:problem:not-found',
      title: expect.any(String),
      status: 404,
      detail: expect.any(String),
      instance: expect.any(String),
    });
  });
});

describe('the routes', () => {
  it('GET /health needs no token and says how it is', async () => {
    const { status, json } = await target.http('/health', { token: null });
    expect(status).toBe(200);
    expect(json.status).toMatch(/^(healthy|degraded)$/);
    expect(json.version).toMatch(/^\d+\.\d+\.\d+/);
  });

  it('POST /desktop/connect says where everything is', async () => {
    const { json } = await target.http('/desktop/connect', { body: { client_id: CLIENTS.a } });
    expect(json).toMatchObject({
      message: expect.any(String),
      client_id: CLIENTS.a,
      agent_id: expect.stringMatching(UUID),
      websocket_available: expect.any(Boolean),
      websocket_url: expect.stringMatching(
        new RegExp(`^ws://(localhost|127\\.0\\.0\\.1|\\[::1\\]):${target.port}`),
      ),
      poll_url: expect.stringContaining('/desktop/events/poll'),
      poll_interval_seconds: expect.any(Number),
      queued_items: {
        sessions: expect.any(Number),
        notifications: expect.any(Number),
        events: expect.any(Number),
      },
      epoch: expect.any(String),
      first_offset: expect.any(Number),
      last_offset: expect.any(Number),
      acked_offset: expect.any(Number),
    });
    expect(json).toHaveProperty('acked_epoch');
  });

  it('H1: POST /desktop/connect without a body is the client "default"', async () => {
    const { json } = await target.http('/desktop/connect', { method: 'POST' });
    expect(json.client_id).toBe('default');
  });

  it('GET /desktop/status has the agent, its actors, its store and the children', async () => {
    const { json } = await target.http('/desktop/status');
    expect(json).toMatchObject({
      connected: expect.any(Boolean),
      websocket_available: expect.any(Boolean),
      websocket_clients: expect.any(Number),
      queued_sessions: expect.any(Number),
      queued_notifications: expect.any(Number),
      queued_events: expect.any(Number),
      epoch: expect.any(String),
      last_offset: expect.any(Number),
      agent_id: expect.stringMatching(UUID),
      agent: {
        version: expect.any(String),
        uptime_seconds: expect.any(Number),
        source: expect.stringMatching(/^(proc-events|procfs|toolhelp|ps-list)$/),
        health: expect.any(Array),
        store: { ok: expect.any(Boolean), unsynced: expect.any(Number) },
        resources: { cpu_percent: expect.any(Number), rss_bytes: expect.any(Number) },
      },
    });
    for (const name of ['scanner', 'session', 'executor']) {
      expect(json.agent.actors[name], name).toMatchObject({
        state: expect.any(String),
        restarts: expect.any(Number),
      });
      expect(json.agent.actors[name], name).toHaveProperty('last_beat_ms_ago');
      expect(json.agent.actors[name], name).toHaveProperty('last_work_ms_ago');
    }
    const [child] = Object.values(json.children) as Record<string, unknown>[];
    for (const key of [
      'playing',
      'session_id',
      'game',
      'used_minutes_today',
      'remaining_minutes',
      'limited_by',
      'paused_until',
      'limits',
    ]) {
      expect(child, key).toHaveProperty(key);
    }
  });

  it('GET /desktop/queue/notifications lists what this client has not acknowledged', async () => {
    await skipToNow(target, CLIENTS.a);
    const fits = await notify(target);
    const path = `/desktop/queue/notifications?client_id=${CLIENTS.a}`;
    const { json } = await target.http(path);
    expect(json.count).toBe(json.notifications.length);
    expect(json.count).toBe(1);
    const title = (n: { title?: string; data?: { title: string } }) => n.title ?? n.data?.title;
    expect(fits({ type: 'notification', data: { title: title(json.notifications[0]) } })).toBe(true);
    await skipToNow(target, CLIENTS.a);
    expect((await target.http(path)).json.count).toBe(0);
  });

  it('S6: reading a queue moves nothing', async () => {
    await skipToNow(target, CLIENTS.a);
    await notify(target);
    const path = `/desktop/queue/notifications?client_id=${CLIENTS.a}`;
    expect((await target.http(path)).json.count).toBe((await target.http(path)).json.count);
  });

  it('GET /desktop/queue/sessions has sessions and their count', async () => {
    const { json } = await target.http('/desktop/queue/sessions?limit=5');
    expect(json.count).toBe(json.sessions.length);
  });

  it('GET /desktop/usage tells days with minutes, limit, games and sessions', async () => {
    const today = new Date().toISOString().slice(0, 10);
    const { status, json } = await target.http(`/desktop/usage?from=${today}&to=${today}`);
    expect(status).toBe(200);
    for (const day of json.days) {
      expect(day).toMatchObject({
        day: expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
        used_minutes: expect.any(Number),
      });
      for (const key of ['limit_minutes', 'games', 'sessions']) expect(day).toHaveProperty(key);
    }
  });

  it.each(['from=yesterday', 'to=2026-13-01', 'from=2026-02-30'])(
    'S6: /desktop/usage?%s is 422',
    async (query) => {
      expect((await target.http(`/desktop/usage?${query}`)).status).toBe(422);
    },
  );

  it('POST /desktop/disconnect leaves the cursor and queues from here on', async () => {
    await skipToNow(target, CLIENTS.a);
    const { status, json } = await target.http('/desktop/disconnect', { body: { client_id: CLIENTS.a } });
    expect(status).toBe(200);
    expect(json.message).toEqual(expect.any(String));
    const fits = await notify(target);
    const { json: polled } = await target.http(`/desktop/events/poll?client_id=${CLIENTS.a}`);
    expect(polled.events.find(fits)).toBeDefined();
  });
});

describe('H1, H2, H3', () => {
  it.each(['', 'a b', 'ä', 'x'.repeat(65), '../etc'])('H1: client_id %j is 422', async (client_id) => {
    const answer = await target.http('/desktop/connect', { body: { client_id } });
    expect(answer.status).toBe(422);
    expect(answer.json.errors).toEqual([{ path: 'client_id', message: expect.any(String) }]);
  });

  it('H2: connected while a socket is open, and for three poll intervals after a poll', async () => {
    const connected = async () =>
      (await target.http(`/desktop/status?client_id=${CLIENTS.c}`)).json.connected as boolean;
    const client = await openReliable({
      url: target.url,
      token: target.view,
      clientId: CLIENTS.c,
      resume: 'now',
    });
    await client.next((f) => f.type === 'welcome');
    expect(await connected()).toBe(true);
    await client.close();
    await expect.poll(connected, { timeout: 8_000 }).toBe(false);
    await target.http(`/desktop/events/poll?client_id=${CLIENTS.c}`);
    expect(await connected()).toBe(true);
    await expect.poll(connected, { timeout: 8_000 }).toBe(false);
  });

  it('H3: confirming an unknown session is 404', async () => {
    const body = { session_id: 'default_child_1', success: true };
    expect((await target.http('/sync/confirm', { body })).status).toBe(404);
  });

  it('H3: a confirmation without its fields is 422 and names both', async () => {
    const { status, json } = await target.http('/sync/confirm', { body: {} });
    expect(status).toBe(422);
    expect(json.errors.map((e: { path: string }) => e.path).sort()).toEqual(['session_id', 'success']);
  });

  it.skipIf(EXTERNAL)('H1: at most eight clients are remembered, a ninth is 409', async () => {
    const statuses = [];
    for (let i = 0; i < 9; i++) {
      statuses.push((await target.http('/desktop/connect', { body: { client_id: `crowd-${i}` } })).status);
    }
    expect(statuses.at(-1)).toBe(409);
    expect(statuses[0]).toBe(200);
    // Those that are remembered go on as before.
    expect((await target.http('/desktop/connect', { body: { client_id: CLIENTS.a } })).status).toBe(200);
  });

  it.skipIf(EXTERNAL)('H1: a ninth client is refused on the WebSocket and in the poll too', async () => {
    expect((await target.http('/desktop/events/poll?client_id=ninth')).status).toBe(409);
    const client = await openReliable({ url: target.url, token: target.view, clientId: 'ninth' });
    const { code } = await client.closed;
    expect(code).toBeGreaterThanOrEqual(4000);
    expect(client.frames.filter((f) => f.type === 'welcome')).toEqual([]);
  });

  it.skipIf(EXTERNAL)('H1: a client never seen starts at the oldest event kept', async () => {
    await target.restart('SIGTERM');
    const { json } = await target.http(`/desktop/events/poll?client_id=crowd-0`);
    expect(json.events[0].meta.offset).toBe(1);
    expect((await ends(target)).last).toBeGreaterThan(1);
  });
});
