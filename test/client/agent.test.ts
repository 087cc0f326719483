/** The client library as it is shipped (dist/client.js) with a real agent: discovery, restarts, kill -9, commands. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runInNewContext } from 'node:vm';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type Agent, startAgent } from '../helpers/agent.ts';
import { gameConfig, startGame, uniqueGameName } from '../helpers/game.ts';

type Client = typeof import('../../src/client/index.ts');
type Connection = import('../../src/client/index.ts').Connection;
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const BUILT = new URL('../../dist/client.js', import.meta.url).href;

let client: Client;
let agent: Agent;
let folder = '';
const game = uniqueGameName();
const open: Connection[] = [];

beforeAll(async () => {
  client = (await import(BUILT)) as Client;
  agent = await startAgent({ config: gameConfig(game) });
  folder = mkdtempSync(join(tmpdir(), 'playwarden-client-'));
});
afterEach(async () => {
  for (const connection of open.splice(0)) await connection.close();
});
afterAll(async () => {
  await agent.dispose();
  rmSync(folder, { recursive: true, force: true });
});

async function connect(clientId: string, more: object = {}): Promise<Connection> {
  const positionFile = join(folder, `${clientId}.json`);
  const connection = await client.connect({ dataDir: agent.dataDir }, { clientId, positionFile, ...more });
  open.push(connection);
  return connection;
}

/** Takes and acknowledges events until one is the notification with this title; returns all offsets and titles. */
async function takeUntil(
  connection: Connection,
  title: string,
): Promise<{ offsets: number[]; titles: string[] }> {
  const offsets: number[] = [];
  const titles: string[] = [];
  for await (const event of connection) {
    offsets.push(event.meta.offset);
    if (event.type === 'notification') titles.push(event.data.title);
    await event.ack();
    if (titles.at(-1) === title) return { offsets, titles };
  }
  throw new Error('the events ended');
}

const say = (connection: Connection, title: string) =>
  connection.command({ command: 'send_notification', parameters: { title, message: 'text' } });

describe.each(['auto', 'polling'] as const)('transport %s', (transport) => {
  it('C3: finds the agent by its data directory, commands it, receives, and keeps the position in a file', async () => {
    const connection = await connect(`found-${transport}`, { transport });
    expect(await say(connection, 'hello')).toMatchObject({ status: 'success', duplicate: false });
    const { offsets } = await takeUntil(connection, 'hello');
    expect(offsets).toEqual(offsets.map((_, i) => offsets[0]! + i));
    expect(connection.position?.offset).toBe(offsets.at(-1));
    expect(existsSync(join(folder, `found-${transport}.json`))).toBe(true);
    await expect.poll(async () => (await connection.status()).agent.version).toMatch(/^\d/);
  });

  it('D4: kill -9 and a new port, five times while events are made: each once, in order', async () => {
    const connection = await connect(`killed-${transport}`, { transport });
    const offsets: number[] = [];
    const titles: string[] = [];
    const reading = takeUntil(connection, `the end of ${transport}`).then((taken) => {
      offsets.push(...taken.offsets);
      titles.push(...taken.titles);
    });
    const ports = new Set<number>();
    let kills = 0;
    const made: string[] = [];
    for (let round = 0; round < 5; round++) {
      ports.add(agent.port);
      for (let i = 0; i < 4; i++) {
        const title = `${transport} ${round}.${i}`;
        made.push(title);
        await say(connection, title);
      }
      await agent.restart('SIGKILL');
      kills++;
    }
    await say(connection, `the end of ${transport}`);
    await reading;
    expect(kills).toBe(5);
    expect(ports.size).toBeGreaterThan(1);
    expect(titles.filter((t) => t.startsWith(`${transport} `))).toEqual(made);
    expect(offsets).toEqual(offsets.map((_, i) => offsets[0]! + i));
  }, 60_000);
});

describe('with the view token', () => {
  it('S5: looks and confirms, and may not command', async () => {
    const connection = await connect('viewer', { role: 'view' });
    await expect(say(connection, 'no')).rejects.toMatchObject({ status: 403, slug: 'control-required' });
    expect((await connection.command({ command: 'get_live_status' })).status).toBe('success');
    await expect(connection.confirmSync('default_child_1')).rejects.toMatchObject({ status: 404 });
    expect(Array.isArray(await connection.usage())).toBe(true);
  });

  it('H3: a play ends in a sync request, which the client confirms', async () => {
    const connection = await connect('viewer', { role: 'view' });
    const process = await startGame(game, { ms: 300 });
    for await (const event of connection) {
      await event.ack();
      if (event.type !== 'firebase_sync_request') continue;
      const { session_id } = event.data.data;
      expect(await connection.confirmSync(session_id)).toMatchObject({ confirmed: true, already: false });
      expect(await connection.confirmSync(session_id)).toMatchObject({ confirmed: true, already: true });
      break;
    }
    await process.exited;
  });
});

describe('as a browser would', () => {
  /** The library bundled for browsers, in a context that has these globals beside those of every page. */
  async function pageWith(more: object): Promise<Pick<Client, 'connect'>> {
    const contents = `export { connect } from 'playwarden/client';`;
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: ROOT },
      bundle: true,
      platform: 'browser',
      format: 'iife',
      globalName: 'page',
      write: false,
    });
    const { setTimeout, clearTimeout, performance, fetch, AbortController, crypto } = globalThis;
    const globals = { setTimeout, clearTimeout, performance, fetch, AbortController, crypto, ...more };
    return runInNewContext(`${outputFiles[0]?.text}; page`, globals) as Pick<Client, 'connect'>;
  }

  it.each([
    ['runs where there is no Node', {}],
    ['runs in Node as well, as a server or Electron does', { process }],
  ])('a bundler for browsers takes the library as it is, and what comes out %s', async (_, more) => {
    const page = await pageWith({ WebSocket, ...more });
    const target = { url: agent.url, token: agent.token('view') };
    for (const transport of ['auto', 'polling'] as const) {
      const connection = await page.connect(target, { clientId: 'page', transport });
      open.push(connection);
      const over = transport === 'auto' ? 'websocket' : 'polling';
      await expect.poll(() => connection.state.transport).toBe(over);
      for await (const event of connection) {
        await event.ack();
        break;
      }
      expect((await connection.status()).agent.version).toMatch(/^\d/);
      await connection.close();
    }
    await expect(page.connect({ dataDir: '/' }, { clientId: 'page' })).rejects.toThrow(
      'only be read by Node',
    );
  });

  it('without a WebSocket, as in Node 20, a bundle for browsers polls and says why', async () => {
    const page = await pageWith({ process });
    const connection = await page.connect(
      { url: agent.url, token: agent.token('view') },
      { clientId: 'page' },
    );
    open.push(connection);
    await expect.poll(() => connection.state.transport).toBe('polling');
    expect(connection.state.reason).toBe('this runtime has no WebSocket');
  });

  it('S4: a standard WebSocket carries its token as a subprotocol', async () => {
    const target = { url: agent.url, token: agent.token('view') };
    const openSocket = client.standardSocket(WebSocket);
    const positionStore = client.memoryPositions();
    const connection = await client.connect(target, { clientId: 'page', openSocket, positionStore });
    open.push(connection);
    await expect.poll(() => connection.state.transport).toBe('websocket');
    for await (const event of connection) {
      await event.ack();
      break;
    }
    expect(connection.position?.offset).toBeGreaterThan(0);
  });
});

it('examples/desktop-client.mjs does what it says', async () => {
  const env = { ...process.env, XDG_STATE_HOME: folder };
  const example = join(ROOT, 'examples', 'desktop-client.mjs');
  const child = spawn(process.execPath, [example, agent.dataDir], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (text) => {
    said += text;
  });
  const exit = once(child, 'exit');
  await expect.poll(() => said, { timeout: 15_000 }).toMatch(/^\d+ agent_event agent_started /m);
  child.kill('SIGINT');
  expect(await exit).toEqual([0, null]);
});

describe('without an agent', () => {
  it('C3: waits and says why, until one starts', async () => {
    await agent.stop();
    const connection = await connect('patient');
    await expect.poll(() => connection.state).toMatchObject({ status: 'waiting' });
    expect(connection.state.reason).toContain('no agent runs');
    await agent.start();
    await expect
      .poll(() => connection.state, { timeout: 5_000 })
      .toMatchObject({ status: 'connected', transport: 'websocket' });
  });
});
