/**
 * The main job on real input: a real process called RobloxPlayerBeta.exe, the built agent, a client of another make
 * than ours. Once over the WebSocket, once over polling alone, and over twenty deaths of the agent.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Agent, startAgent } from '../helpers/agent.ts';
import { type Game, startGame, uniqueGameName } from '../helpers/game.ts';
import { http } from '../helpers/http.ts';
import { type Frame, openRaw } from '../helpers/ws-client.ts';

const kind = (event: Frame): string =>
  event.event_type ?? (event.type === 'notification' ? `notification ${event.data.type}` : event.type);

/** What one play is told as, in order (E4), when it ends by itself. */
const PLAY = [
  'roblox_started',
  'session_started',
  'roblox_stopped',
  'session_ended',
  'notification session_end',
  'firebase_sync_request',
];

let agent: Agent;
let root: string;
let games: Game[] = [];
/** Where the game's copy stands; the agent is told to look nowhere else. */
let gameName: string;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'playwarden-flow-'));
  gameName = 'RobloxPlayerBeta.exe';
});
afterEach(async () => {
  await Promise.all(games.map((game) => game.stop('SIGKILL')));
  games = [];
  await agent.dispose();
  rmSync(root, { recursive: true, force: true });
});

async function play(): Promise<Game> {
  const game = await startGame(gameName);
  games.push(game);
  return game;
}

/** The game is matched by the folder that the helper makes: a real Roblox here would be left alone. */
const config = () => ({
  games: [{ id: 'roblox', name: 'Roblox', match: [{ path: `${tmpdir()}/playwarden-game-*/${gameName}` }] }],
  sessions: { rejoin_seconds: 0.3 },
  enforcement: { close_wait_seconds: 10 },
});

const get = (path: string) => http({ url: agent.url, path, token: agent.token('view') });
const post = (path: string, body: unknown) =>
  http({ url: agent.url, path, method: 'POST', token: agent.token('control'), body });

/** Acknowledges as it goes: what a polling client with a position does. */
class Poller {
  readonly events: Frame[] = [];
  #after = 0;
  #epoch = '';

  async until(wanted: string): Promise<Frame> {
    for (const deadline = Date.now() + 30_000; Date.now() < deadline; ) {
      const query = this.#epoch ? `&after=${this.#after}&epoch=${this.#epoch}` : '';
      const { json } = await get(`/desktop/events/poll?client_id=poller&wait=5${query}`);
      this.events.push(...json.events);
      this.#after = json.next_after;
      this.#epoch = json.epoch;
      const found = json.events.find((event: Frame) => kind(event) === wanted);
      if (found) return found;
    }
    throw new Error(`no ${wanted}, only ${this.events.map(kind).join(', ')}`);
  }
}

describe('the whole flow', () => {
  test('over the WebSocket: a play is told in order, ended by a command, synced and confirmed', async () => {
    agent = await startAgent({ config: config() });
    const client = await openRaw({ url: agent.url, token: agent.token('view') });
    const game = await play();
    const started = await client.next((f) => f.event_type === 'roblox_started');
    expect(started.data).toMatchObject({
      process_info: { pid: game.pid, name: gameName },
      child_profile: 'default_child',
    });
    const session = await client.next((f) => f.event_type === 'session_started');
    expect(session.data.session_data.session_id).toMatch(/^default_child_\d{13}$/);

    const closed = await post('/desktop/command', { command: 'force_close', command_id: 'dinner' });
    expect(closed.json).toMatchObject({
      status: 'success',
      command: 'force_close',
      command_id: 'dinner',
      duplicate: false,
      result: { processes: [{ pid: game.pid, outcome: 'closed' }] },
    });
    expect(await game.exited).toMatchObject({ signal: 'SIGTERM' });

    await client.next((f) => f.type === 'firebase_sync_request');
    const told = client.events.filter((e) => PLAY.includes(kind(e)));
    expect(told.map(kind)).toEqual(PLAY);
    expect(told[2].data).toMatchObject({
      reason: 'command',
      process_info: { pid: game.pid, ended_at: expect.any(String) },
    });
    const { session_id } = told[3].data.session_data;
    expect(session_id).toBe(session.data.session_data.session_id);
    const offsets = client.events.map((e) => e.meta.offset);
    expect(offsets).toEqual(offsets.map((_, i) => i + 1));

    const confirm = () => post('/sync/confirm', { session_id, success: true });
    expect((await get('/desktop/queue/sessions')).json.sessions).toHaveLength(1);
    expect((await confirm()).json).toMatchObject({ confirmed: true, already: false });
    expect((await confirm()).json).toMatchObject({ confirmed: true, already: true });
    expect((await get('/desktop/queue/sessions')).json).toMatchObject({ sessions: [], count: 0 });
    await client.close();
  });

  test('over polling alone: the same play in the same order', async () => {
    agent = await startAgent({ config: { ...config(), desktop_client: { websocket: { enabled: false } } } });
    const poller = new Poller();
    await poller.until('agent_started');
    const game = await play();
    await poller.until('session_started');
    await game.stop();
    await poller.until('firebase_sync_request');
    expect(poller.events.map(kind).filter((k) => PLAY.includes(k))).toEqual(PLAY);
    const offsets = poller.events.map((e) => e.meta.offset);
    expect(offsets).toEqual(offsets.map((_, i) => i + 1));
    await expect(openRaw({ url: agent.url, token: agent.token('view') })).rejects.toMatchObject({
      status: 404,
    });
  });

  test('a game that runs already is found at the start, and one that ended meanwhile is told without a moment', async () => {
    const early = await play();
    agent = await startAgent({ config: config() });
    const client = await openRaw({ url: agent.url, token: agent.token('view') });
    const found = await client.next((f) => f.event_type === 'roblox_started');
    expect(found.data.process_info).toMatchObject({ pid: early.pid, found: true });
    await client.next((f) => f.event_type === 'session_started');
    await client.close();
    await agent.kill('SIGKILL');
    await early.stop();
    await agent.start();
    const poller = new Poller();
    await poller.until('firebase_sync_request');
    expect(poller.events.map(kind).filter((k) => PLAY.includes(k))).toEqual(PLAY);
    const stopped = poller.events.find((e) => kind(e) === 'roblox_stopped');
    expect(stopped.data.process_info).toMatchObject({ pid: early.pid, ended_at: null });
  });

  test('bad input is answered as the contract says, and the agent lives', async () => {
    agent = await startAgent({ config: config() });
    const at = { url: agent.url, path: '/desktop/status' };
    const token = agent.token('control');
    const command = (body: unknown, headers = {}) =>
      http({ url: agent.url, path: '/desktop/command', method: 'POST', token, body, headers });
    const answers = await Promise.all([
      http({ ...at, token: 'x'.repeat(43) }),
      http({ ...at, token, headers: { Host: 'evil.example' } }),
      http({ ...at, token, headers: { Origin: 'http://evil.example' } }),
      command('{"command":', { 'Content-Type': 'application/json' }),
      command({ command: 'dance' }),
      command({ command: 'force_close', child_profile: 'nobody' }),
      http({ url: agent.url, path: '/nowhere', token }),
    ]);
    expect(answers.map((a) => a.status)).toEqual([401, 403, 403, 400, 422, 422, 404]);
    for (const { json, text } of answers) {
      expect(json).toMatchObject({
        type: expect.stringMatching(/^urn:playwarden:problem:[a-z-]+$/),
        title: expect.any(String),
      });
      expect(text).not.toContain(token);
    }
    expect((await get('/desktop/status')).status).toBe(200);
  });
});

describe('D4, T7: kill -9', () => {
  test('over 20 deaths of the agent an absent client misses nothing and gets nothing twice', async () => {
    gameName = uniqueGameName();
    agent = await startAgent({
      config: {
        games: [{ id: 'roblox', match: [{ name: gameName }] }],
        profiles: { default_child: { daily_limit_minutes: null } },
        sessions: { rejoin_seconds: 60 },
      },
    });
    const sent: string[] = [];
    const game = await play();
    for (let round = 0; round < 20; round++) {
      const title = `round ${round}`;
      const answer = await post('/desktop/command', {
        command: 'send_notification',
        parameters: { title, message: 'text' },
        command_id: title,
      });
      expect(answer.json).toMatchObject({ status: 'success', duplicate: false });
      sent.push(title);
      await agent.restart('SIGKILL');
    }
    const again = await post('/desktop/command', {
      command: 'send_notification',
      parameters: { title: 'round 0', message: 'text' },
      command_id: 'round 0',
    });
    expect(again.json).toMatchObject({ status: 'success', duplicate: true });

    const client = await openRaw({ url: agent.url, token: agent.token('view') });
    await client.next((f) => f.type === 'notification' && f.data.title === 'round 19');
    const events = await client.settledEvents();
    expect(events.filter((e) => e.data.type === 'message').map((e) => e.data.title)).toEqual(sent);
    expect(new Set(events.map((e) => e.meta.epoch)).size).toBe(1);
    expect(events.map((e) => e.meta.offset)).toEqual(events.map((_, i) => i + 1));
    expect(events.map(kind).filter((k) => k === 'roblox_started' || k === 'session_started')).toEqual([
      'roblox_started',
      'session_started',
    ]);
    const { children } = (await get('/desktop/status')).json;
    expect(children.default_child).toMatchObject({ playing: true });
    expect(game.pid).toBeGreaterThan(0);
    await client.close();
  }, 120_000);
});
