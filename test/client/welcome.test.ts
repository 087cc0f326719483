/** What a real agent and a client agree on as they meet: a refusal in words, and how far the client has come. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Connection, connect, memoryPositions } from '../../src/client/index.ts';
import type { Position } from '../../src/protocol/position.ts';
import { type Agent, startAgent } from '../helpers/agent.ts';
import { gameConfig, uniqueGameName } from '../helpers/game.ts';
import { http } from '../helpers/http.ts';

const BUILT = new URL('../../dist/client.js', import.meta.url).href;

let agent: Agent;
const open: Connection[] = [];

beforeAll(async () => {
  agent = await startAgent({ config: gameConfig(uniqueGameName()) });
});
afterEach(async () => {
  for (const connection of open.splice(0)) await connection.close();
});
afterAll(async () => {
  await agent.dispose();
});

const ask = (path: string, body?: object) =>
  http({ url: agent.url, path, token: agent.token('control'), ...(body && { body }) });
const queued = async (id: string) => (await ask(`/desktop/status?client_id=${id}`)).json.queued_events;

async function join(clientId: string, positions: readonly Position[] = []): Promise<Connection> {
  const target = { url: agent.url, token: agent.token('view') };
  const connection = await connect(target, { clientId, positionStore: memoryPositions(positions) });
  open.push(connection);
  return connection;
}

describe('at the welcome', () => {
  it('W2: a client that has stored more than the agent knows of says so at once, and the link stays', async () => {
    for (let i = 0; i < 3; i++) {
      const parameters = { title: `n${i}`, message: 'text' };
      await ask('/desktop/command', { command: 'send_notification', parameters });
    }
    const { epoch, last_offset: offset } = (await ask('/desktop/connect', { client_id: 'ahead' })).json;
    expect(await queued('ahead')).toBeGreaterThan(0);
    const connection = await join('ahead', [{ epoch, offset }]);
    await expect.poll(() => queued('ahead')).toBe(0);
    expect(connection.state).toMatchObject({ status: 'connected', transport: 'websocket' });
  });

  it('H1: a ninth client is told why it has no place', async () => {
    for (let i = 0; i < 8; i++) await ask('/desktop/connect', { client_id: `desk-${i}` });
    const connection = await join('desk-ninth');
    await expect.poll(() => connection.state.status).toBe('stopped');
    expect(connection.state.reason).toMatch(/Eight clients/);
  });
});

describe('at the end', () => {
  it('close() lets the program go, though the agent hangs', async () => {
    const target = JSON.stringify({ url: agent.url, token: agent.token('view') });
    const program = `
      const { connect, memoryPositions } = await import(${JSON.stringify(BUILT)});
      const connection = await connect(${target}, { clientId: 'desk-0', positionStore: memoryPositions() });
      connection.onState(({ transport }) => transport === 'websocket' && console.log('on'));
      process.stdin.once('data', async () => {
        process.stdin.destroy();
        await connection.close();
      });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    agent.signal('SIGSTOP');
    try {
      const exit = once(child, 'exit');
      const since = Date.now();
      child.stdin.write('close\n');
      expect(await exit).toEqual([0, null]);
      expect(Date.now() - since).toBeLessThan(5_000);
    } finally {
      agent.signal('SIGCONT');
      child.kill('SIGKILL');
    }
  }, 60_000);
});
