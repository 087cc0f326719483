/** What a running agent really answers, event by event and route by route, is exactly what the documents say. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Agent, startAgent } from '../helpers/agent.ts';
import { type Game, startGame, uniqueGameName } from '../helpers/game.ts';
import { type HttpResponse, http } from '../helpers/http.ts';
import { type Frame, openReliable, type RawClient } from '../helpers/ws-client.ts';
import { checkedIn, exactly } from './validators.ts';

const openapi = checkedIn('openapi');
const asyncapi = checkedIn('asyncapi');
const body = exactly(openapi);
const frame = exactly(asyncapi);

const ROBLOX = uniqueGameName('pwdocsr');
const OTHER = uniqueGameName('pwdocso');
const CONFIG = {
  games: [
    { id: 'roblox', name: 'Roblox', match: [{ name: ROBLOX }] },
    { id: 'other', name: 'Other', match: [{ name: OTHER }] },
  ],
  profiles: {
    kim: {
      name: 'Kim',
      daily_limit_minutes: 120,
      weekly_limit_minutes: 600,
      warn_minutes: [0.98],
      grace_seconds: 0.2,
      games: { other: { daily_limit_minutes: 60 } },
    },
  },
  sessions: { rejoin_seconds: 0.2 },
  enforcement: { close_wait_seconds: 1 },
};

let agent: Agent;
let link: RawClient;
const games: Game[] = [];

beforeAll(async () => {
  agent = await startAgent({ config: CONFIG });
  link = await openReliable({ url: agent.url, token: agent.token('view'), clientId: 'link' });
});
afterAll(async () => {
  await Promise.all(games.map((game) => game.stop('SIGKILL')));
  await agent.dispose();
});

async function play(name: string): Promise<Game> {
  const game = await startGame(name);
  games.push(game);
  return game;
}

const told = (what: string) =>
  link.until(
    () => link.events.find((e) => e.event_type === what || e.type === what || e.data?.type === what),
    10_000,
  );
const get = (path: string) => http({ url: agent.url, path, token: agent.token('view') });
const post = (path: string, sent?: unknown) =>
  http({ url: agent.url, path, method: 'POST', token: agent.token('control'), body: sent });

/** Of a command: what was sent and what came back hold both. */
async function command(name: string, parameters: object = {}, more: object = {}): Promise<HttpResponse> {
  const sent = { command: name, parameters, ...more };
  expect(body('Command', sent), name).toEqual([]);
  const answer = await post('/desktop/command', sent);
  expect([answer.status, body('CommandAnswer', answer.json)], JSON.stringify(answer.json)).toEqual([200, []]);
  return answer;
}

test('every command and its answer', async () => {
  const game = await play(OTHER);
  await told('game_started');
  await command('get_live_status');
  await command('send_notification', { title: 'Dinner', message: 'In ten minutes.', type: 'message' });
  await command('pause', { minutes: 5 });
  await command('resume');
  await command('extend_time', { minutes: 15, game: 'other' });
  await command('set_time_limit', { minutes: 90 });
  const closed = await command(
    'force_close',
    { reason: 'bed time' },
    { child_profile: 'kim', command_id: 'docs-1' },
  );
  expect(closed.json.result.processes).toHaveLength(1);
  await game.exited;
  expect((await command('force_close_roblox', {}, { command_id: 'docs-2' })).json.result.outcome).toBe(
    'not_running',
  );
  const expires_at = '2020-01-01T00:00:00Z';
  expect((await post('/desktop/command', { command: 'resume', expires_at })).status).toBe(410);
});

test('every event of a play that is warned and closed', async () => {
  await play(ROBLOX);
  await told('roblox_started');
  await command('set_time_limit', { minutes: 1 });
  await told('time_limit_warning');
  await command('set_time_limit', { minutes: 0 });
  await told('roblox_auto_closed');
  await told('firebase_sync_request');
  agent.writeConfig({ ...CONFIG, detection: { poll_interval_ms: 60 } });
  agent.signal('SIGHUP');
  await told('config_reloaded');
  agent.writeConfig({ nonsense: true });
  agent.signal('SIGHUP');
  await told('config_rejected');
  for (const event of link.events) {
    expect(frame('Event', event), JSON.stringify(event)).toEqual([]);
    expect(body('Event', event), JSON.stringify(event)).toEqual([]);
  }
  const types = new Set(link.events.map((event) => event.type));
  expect(types.size, 'every type of event came').toBe(openapi.components.schemas.Event.oneOf.length);
});

test('every frame of the link', async () => {
  link.send({ type: 'ping' });
  link.send({ type: 'desktop_ready' });
  link.send({ type: 'ack', epoch: link.events[0].meta.epoch, offset: link.events[0].meta.offset });
  link.send({ type: 'command', payload: { command: 'get_live_status', command_id: 'w-1' } });
  link.send({ type: 'command', payload: { command: 'dance', command_id: 'w-2' } });
  link.send({ type: 'what' });
  const names: Readonly<Record<string, string>> = {
    welcome: 'Welcome',
    pong: 'Pong',
    command_result: 'CommandResultFrame',
    error: 'ErrorFrame',
  };
  for (const type of Object.keys(names)) await link.until(() => link.frames.find((f) => f.type === type));
  await link.until(() => link.frames.find((f) => f.command_id === 'w-1'));
  for (const one of link.frames.filter((f: Frame) => !f.meta)) {
    expect(frame(names[one.type] ?? one.type, one), JSON.stringify(one)).toEqual([]);
  }
});

test.each([
  ['get', '/health', ''],
  ['post', '/desktop/connect', ''],
  ['get', '/desktop/status', '?client_id=link'],
  ['get', '/desktop/events/poll', '?client_id=poll'],
  ['get', '/desktop/queue/sessions', ''],
  ['get', '/desktop/queue/notifications', '?client_id=link&limit=10'],
  ['get', '/desktop/usage', '?child=kim'],
  ['post', '/desktop/disconnect', ''],
])('the answer of %s %s', async (method, path, query) => {
  const answer = await (method === 'get' ? get(`${path}${query}`) : post(path));
  expect(answer.status).toBe(200);
  expect(body(answerName(path, method), answer.json), answer.text).toEqual([]);
});

test('the answers have something in them', async () => {
  const { sessions } = (await get('/desktop/queue/sessions')).json;
  expect(sessions.length).toBeGreaterThan(0);
  expect((await get('/desktop/queue/notifications?client_id=poll')).json.count).toBeGreaterThan(0);
  const usage = (await get('/desktop/usage')).json.days.at(-1);
  expect(usage.sessions.length).toBeGreaterThan(0);
  const confirmed = await post('/sync/confirm', { session_id: sessions[0].session_id, success: true });
  expect(body('ConfirmAnswer', confirmed.json)).toEqual([]);
});

test.each([
  ['an unknown command', 422, '/desktop/command', { command: 'dance' }],
  ['wrong parameters', 422, '/desktop/command', { command: 'extend_time', parameters: { minutes: -1 } }],
  ['no body', 400, '/desktop/command', undefined],
  ['a large body', 413, '/desktop/connect', 'x'.repeat(70_000)],
  ['another media type', 415, '/desktop/connect', '{}'],
  ['a name that is none', 422, '/desktop/connect', { client_id: 'ü' }],
  ['an unknown session', 404, '/sync/confirm', { session_id: 'nobody_1', success: true }],
  ['an offset that was never given', 409, '/desktop/events/poll?after=999999999', null],
  ['an unknown child', 422, '/desktop/usage?child=nobody', null],
] as const)('the refusal of %s', async (_, status, path, sent) => {
  const answer = await (sent === null ? get(path) : post(path, sent));
  expect(answer.status).toBe(status);
  expect(body('Problem', answer.json), answer.text).toEqual([]);
  const operation = openapi.paths[path.split('?')[0] ?? ''][sent === null ? 'get' : 'post'];
  expect(operation.responses[status]?.description).toContain(answer.json.type.split(':').at(-1));
});

test('the refusal of a wrong token and of another Host', async () => {
  for (const refused of [
    await http({ url: agent.url, path: '/desktop/status', token: 'wrong' }),
    await http({ url: agent.url, path: '/desktop/status', headers: { Host: 'evil.example' } }),
  ]) {
    expect(body('Problem', refused.json), refused.text).toEqual([]);
    expect(Object.keys(openapi.paths['/desktop/status'].get.responses)).toContain(String(refused.status));
  }
});

test('the last word of the link', async () => {
  await agent.stop();
  await link.closed;
  const last = link.frames.at(-1);
  expect(last.type).toBe('bye');
  expect(frame('Bye', last)).toEqual([]);
});

/** The schema of a route's 200 answer. */
function answerName(path: string, method: string): string {
  const { schema } = openapi.paths[path][method].responses[200].content['application/json'];
  return schema.$ref.split('/').at(-1);
}
