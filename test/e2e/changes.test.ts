/**
 * What changes under a running agent, end to end: another configuration, other tokens, a stop or a death in the midst
 * of a command. Real processes, the built agent.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { type Agent, startAgent } from '../helpers/agent.ts';
import { type Game, gameConfig, startGame, uniqueGameName } from '../helpers/game.ts';
import { type HttpResponse, http } from '../helpers/http.ts';
import { type Frame, openRaw, openReliable, type RawClient } from '../helpers/ws-client.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const NO_LIMIT = { daily_limit_minutes: null };

const name = uniqueGameName();
let agent: Agent;
const games: Game[] = [];
const sockets: RawClient[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) await socket.close();
  for (const game of games.splice(0)) await game.stop('SIGKILL');
  await agent.dispose();
});

async function played(options: Parameters<typeof startGame>[1] = {}): Promise<Game> {
  const game = await startGame(name, options);
  games.push(game);
  return game;
}

function ask(
  path: string,
  body?: object,
  token: string | null = agent.token('control'),
): Promise<HttpResponse> {
  return http({ url: agent.url, path, token, ...(body && { body }) });
}

async function connected(): Promise<RawClient> {
  const client = await openReliable({ url: agent.url, token: agent.token('view'), clientId: 'desk' });
  sockets.push(client);
  return client;
}

const told = (client: RawClient, event_type: string): Promise<Frame> =>
  client.next((f) => f.event_type === event_type);

async function reload(client: RawClient, config: object): Promise<void> {
  agent.writeConfig(config);
  agent.signal('SIGHUP');
  await told(client, 'config_reloaded');
}

test('C8 E1: a reload that makes the running game another one, and then none, ends each session for it', async () => {
  agent = await startAgent({ config: gameConfig(name, { profiles: { lou: NO_LIMIT } }) });
  const client = await connected();
  await played();
  await told(client, 'session_started');
  const chess = { games: [{ id: 'chess', name: 'Chess', match: [{ name }] }] };
  await reload(client, gameConfig(name, { profiles: { lou: NO_LIMIT }, ...chess }));
  await reload(client, gameConfig('nothing', { profiles: { lou: NO_LIMIT } }));
  const ends = client.frames.filter((f) => f.event_type === 'session_ended');
  expect(ends.map((f) => [f.data.session_data.game, f.data.session_data.end_reason])).toEqual([
    ['roblox', 'config'],
    ['chess', 'config'],
  ]);
});

test('C7 E4: a reload that gives the running game to another child ends the one session before the other begins', async () => {
  agent = await startAgent({ config: gameConfig(name, { profiles: { lou: NO_LIMIT } }) });
  const client = await connected();
  const game = await played();
  await told(client, 'session_started');
  await reload(client, gameConfig(name, { profiles: { kim: { daily_limit_minutes: 0, grace_seconds: 0 } } }));
  await told(client, 'roblox_auto_closed');
  await game.exited;
  const about = client.frames
    .filter((f) => /^(roblox|session)_(started|stopped|ended|auto_closed)$/.test(f.event_type))
    .map((f) => [f.event_type, f.data.child_profile ?? f.data.session_data.child_profile]);
  expect(about).toEqual([
    ['roblox_started', 'lou'],
    ['session_started', 'lou'],
    ['roblox_stopped', 'lou'],
    ['session_ended', 'lou'],
    ['roblox_started', 'kim'],
    ['session_started', 'kim'],
    ['roblox_auto_closed', 'kim'],
  ]);
});

test('C7: after a restart too the game belongs to whom the configuration says', async () => {
  agent = await startAgent({ config: gameConfig(name, { profiles: { lou: NO_LIMIT } }) });
  await told(await connected(), 'agent_started');
  await played();
  await expect
    .poll(async () => (await ask('/desktop/status')).json.children.lou?.playing, { timeout: 10_000 })
    .toBe(true);
  agent.writeConfig(gameConfig(name, { profiles: { kim: NO_LIMIT } }));
  await agent.restart('SIGTERM');
  await expect
    .poll(async () => (await ask('/desktop/status')).json.children.kim?.playing, { timeout: 10_000 })
    .toBe(true);
});

test('S4: whoever came without a token while none was required is disconnected by a reload that requires one', async () => {
  const config = gameConfig(name, { security: { require_token: false } });
  agent = await startAgent({ config });
  const anybody = await openRaw({ url: agent.url, token: null });
  sockets.push(anybody);
  await anybody.next((f) => f.type === 'welcome');
  agent.writeConfig(gameConfig(name));
  agent.signal('SIGHUP');
  expect((await anybody.closed).code).toBe(4501);
  expect((await ask('/desktop/status', undefined, null)).status).toBe(401);
});

test('S4 W6: whoever showed a right token meanwhile stays, or comes back if it allows less than none did', async () => {
  const open = gameConfig(name, { security: { require_token: false } });
  agent = await startAgent({ config: open });
  const by = async (role: 'view' | 'control') => {
    const client = await openReliable({ url: agent.url, token: agent.token(role), clientId: role });
    sockets.push(client);
    return client;
  };
  const [view, control] = [await by('view'), await by('control')];
  await reload(control, gameConfig(name));
  expect((await view.closed).code).toBe(4005);
  expect((await ask('/desktop/status?client_id=control')).json).toMatchObject({
    connected: true,
    websocket_clients: 1,
  });
  const again = await by('view');
  const command = { command: 'pause', command_id: 'c1' };
  again.send({ type: 'command', payload: command });
  const { problem } = await again.next((f) => f.type === 'command_result');
  expect(problem.type).toBe('urn:playwarden:problem:control-required');
});

test('C10: a reload that switches WebSockets off closes those that are open, and the client polls on', async () => {
  agent = await startAgent({ config: gameConfig(name) });
  const client = await connected();
  agent.writeConfig(gameConfig(name, { desktop_client: { websocket: { enabled: false } } }));
  agent.signal('SIGHUP');
  expect((await client.closed).code).toBe(4005);
  expect((await ask('/desktop/status')).json).toMatchObject({
    websocket_available: false,
    websocket_clients: 0,
  });
  const polled = await ask('/desktop/events/poll?client_id=desk&after=0&wait=10');
  expect(polled.json.events[0]).toMatchObject({ event_type: 'agent_started' });
});

test('W6: tokens are rotated while the configuration does not hold', async () => {
  agent = await startAgent({ config: gameConfig(name) });
  const before = agent.token('control');
  const client = await openRaw({ url: agent.url, token: before });
  sockets.push(client);
  await client.next((f) => f.type === 'welcome');
  agent.writeConfig({ no_such_key: 1 });
  await promisify(execFile)(process.execPath, [CLI, 'token', 'rotate', '--data-dir', agent.dataDir]);
  expect((await client.closed).code).toBe(4501);
  expect(agent.token('control')).not.toBe(before);
  expect((await ask('/desktop/status', undefined, before)).status).toBe(401);
  expect((await ask('/desktop/status')).status).toBe(200);
});

test('C4 K2: a close under way when the agent stops is answered, and carried out after the start, which waits for nothing', async () => {
  const waits = { enforcement: { close_wait_seconds: 30 } };
  agent = await startAgent({ config: gameConfig(name, waits) });
  const client = await connected();
  const game = await played({ stubborn: true });
  await told(client, 'session_started');
  const body = { command: 'force_close', command_id: 'c1' };
  const answer = ask('/desktop/command', body);
  await expect.poll(() => agent.stderr, { timeout: 10_000 }).toContain('closing a game for a command');
  const began = performance.now();
  expect(await agent.stop()).toBe(0);
  expect(performance.now() - began).toBeLessThan(5_000);
  expect(await answer).toMatchObject({ status: 503, json: { type: 'urn:playwarden:problem:stopping' } });

  // C2: the ready line comes although the close that is taken up again waits half a minute.
  const started = performance.now();
  await agent.start();
  expect(performance.now() - started).toBeLessThan(15_000);
  expect(agent.json().pid).toBe(agent.pid);
  agent.writeConfig(gameConfig(name, { enforcement: { close_wait_seconds: 0 } }));
  await agent.restart('SIGTERM');
  expect((await ask('/desktop/command', body)).json).toMatchObject({
    duplicate: true,
    result: { processes: [{ outcome: 'closed' }] },
  });
  await game.exited;
});

test('K4: a directory that is removed while the agent that was started in it runs takes no thread from it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'playwarden-cwd-'));
  const within = ['/bin/sh', '-c', 'cd "$0" && exec "$@"', folder, process.execPath];
  agent = await startAgent({ config: gameConfig(name), command: within });
  const client = await connected();
  rmdirSync(folder);
  const game = await played();
  await told(client, 'roblox_started');
  // The threads that close games are started for the first close.
  const { json } = await ask('/desktop/command', { command: 'force_close' });
  expect(json).toMatchObject({ status: 'success', result: { outcome: 'closed' } });
  await game.exited;
});
