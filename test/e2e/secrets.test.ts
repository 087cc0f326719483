/**
 * Contract S7: after everything a client can do, right and wrong, at the most talkative log level, a token stands in
 * its own file and nowhere else: no line, answer, frame, event, argument, environment or other file holds it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Agent, startAgent } from '../helpers/agent.ts';
import { type Game, gameConfig, startGame, uniqueGameName } from '../helpers/game.ts';
import { http, rawExchange } from '../helpers/http.ts';
import { openRaw, openReliable, UpgradeRefused } from '../helpers/ws-client.ts';

const gameName = uniqueGameName();
let agent: Agent;
let game: Game;
/** Everything that came from the agent over the network. */
const received: string[] = [];

beforeAll(async () => {
  agent = await startAgent({ config: gameConfig(gameName), args: ['--log-level', 'trace'] });
  game = await startGame(gameName);
});
afterAll(async () => {
  await game.stop('SIGKILL');
  await agent.dispose();
});

const ROUTES = [
  ['GET', '/health'],
  ['POST', '/desktop/connect'],
  ['POST', '/desktop/disconnect'],
  ['GET', '/desktop/status'],
  ['GET', '/desktop/events/poll'],
  ['GET', '/desktop/queue/sessions'],
  ['GET', '/desktop/queue/notifications'],
  ['GET', '/desktop/usage'],
  ['POST', '/desktop/command'],
  ['POST', '/sync/confirm'],
  ['GET', '/nowhere'],
] as const;
const COMMANDS = [
  ['force_close', {}],
  ['set_time_limit', { minutes: 90 }],
  ['extend_time', { minutes: 5 }],
  ['pause', {}],
  ['resume', {}],
  ['get_live_status', {}],
  ['send_notification', { title: 't', message: 'm' }],
  ['shutdown', {}],
] as const;

/** One bit beside the real one: what a typing error or a log of "wrong token" would give away. */
const almost = (token: string) => `${token.slice(0, -2)}${token.at(-2) === 'A' ? 'B' : 'A'}${token.at(-1)}`;

async function ask(
  method: string,
  path: string,
  token: string | null,
  body?: unknown,
  headers = {},
): Promise<void> {
  const answer = await http({
    url: agent.url,
    path,
    method,
    token,
    headers,
    ...(body !== undefined && { body }),
  });
  received.push(answer.text, JSON.stringify(answer.headers));
}

async function everyRoute(token: string): Promise<void> {
  for (const [method, path] of ROUTES) {
    const post = method === 'POST';
    await ask(method, path, token, post ? {} : undefined);
    await ask('PATCH', path, token);
    await ask(method, `${path}?client_id=%00&limit=x&after=-1&from=never`, token, post ? '{' : undefined);
    await ask(method, path, token, post ? { unexpected: [1] } : undefined, { Host: 'evil.example' });
    await ask(method, path, token, post ? {} : undefined, { Origin: 'https://evil.example' });
  }
  for (const [command, parameters] of COMMANDS) {
    await ask('POST', '/desktop/command', token, { command, parameters });
  }
  await ask('POST', '/desktop/command', token, { jws: 'a.b.c' });
  await ask('POST', '/sync/confirm', token, { session_id: 'none', success: true });
}

async function everySocket(token: string): Promise<void> {
  const { url } = agent;
  const clients = await Promise.all([
    openRaw({ url, token }),
    openRaw({ url, token: null, protocols: ['playwarden.simple', `bearer.${token}`] }),
    openReliable({ url, token, clientId: 'secrets' }),
  ]);
  for (const client of clients) {
    client.send('nonsense');
    client.send({ type: 'command', payload: { command: 'get_live_status' } });
    client.send({ type: 'ack', epoch: 'x', offset: 1 });
    await client.settledEvents();
    received.push(JSON.stringify(client.frames), client.pings.join(), client.protocol);
    await client.close();
  }
}

async function everyRefusal(token: string): Promise<void> {
  for (let i = 0; i < 12; i += 1) await ask('GET', '/desktop/status', almost(token));
  for (const protocols of [[`bearer.${almost(token)}`, 'playwarden.v1'], [`bearer.${almost(token)}`]]) {
    const refused = await openRaw({ url: agent.url, token: null, protocols }).catch((error) => error);
    expect(refused).toBeInstanceOf(UpgradeRefused);
    received.push(refused.body);
  }
  // A token where none belongs.
  const head = `Host: localhost:${agent.port}\r\nAuthorization: Basic ${token}\r\nX-Token: ${token}\r\n\r\n`;
  for (const line of [
    `GET /${token} HTTP/1.1`,
    `GET /health?token=${token} HTTP/1.1`,
    `${token} / HTTP/1.1`,
  ]) {
    received.push(await rawExchange(agent.port, `${line}\r\n${head}`, 200));
  }
}

test('S7: a token stands in its file and nowhere else', async () => {
  const tokens = [agent.token('view'), agent.token('control')];
  for (const token of tokens) {
    await everyRoute(token);
    await everySocket(token);
    await everyRefusal(token);
  }
  agent.writeConfig({ nonsense: true });
  agent.signal('SIGHUP');
  await expect.poll(() => agent.stderr).toContain('the configuration was refused');
  for (let more = true, after = ''; more; ) {
    const path = `/desktop/events/poll?client_id=secrets${after}`;
    const { json, text } = await http({ url: agent.url, path, token: tokens[0] ?? '' });
    received.push(text);
    after = `&after=${json.next_after}&epoch=${json.epoch}`;
    more = json.has_more;
  }
  const proc = (name: string) => readFileSync(`/proc/${agent.pid}/${name}`, 'latin1');
  const running = [proc('cmdline'), proc('environ')];
  const filesWhileRunning = files();
  expect(await agent.stop()).toBe(0);

  const places: Record<string, string> = {
    stdout: agent.stdout,
    stderr: agent.stderr,
    answers: received.join('\n'),
    arguments: running[0] ?? '',
    environment: running[1] ?? '',
    ...filesWhileRunning,
    ...Object.fromEntries(Object.entries(files()).map(([name, text]) => [`${name} after the end`, text])),
  };
  const holding = Object.keys(places).filter((place) =>
    secrets(tokens).some((s) => places[place]?.includes(s)),
  );
  const own = Object.keys(places).filter((place) => /^(view|control)\.token( after the end)?$/.test(place));
  expect(holding.sort()).toEqual(own.sort());
  expect(own).toHaveLength(4);
  // It did talk.
  expect(agent.stderr).toContain('refused at the front door');
  expect(places.answers).toContain('too-many-attempts');
  expect(places.answers).toContain('welcome');
});

/** Each token as it is written, as its bytes, and in the other encodings a program may print; wrong ones too. */
function secrets(tokens: readonly string[]): string[] {
  return tokens.flatMap((token) => {
    const raw = Buffer.from(token, 'base64url');
    const forms = [token, almost(token), raw.toString('hex'), raw.toString('base64'), raw.toString('latin1')];
    // Cut short, it would still give away most of it.
    return [...forms, token.slice(0, 16), token.slice(-16, -2)];
  });
}

/** Every file of the data directory, the databases and their logs included, as latin1. */
function files(): Record<string, string> {
  const names = readdirSync(agent.dataDir, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    names
      .filter((entry) => entry.isFile())
      .map((entry) => [entry.name, readFileSync(join(entry.parentPath ?? entry.path, entry.name), 'latin1')]),
  );
}
