/**
 * Every program of the PC may connect, and each connection takes one of the agent's descriptors. When none is left nothing
 * can be closed; but the agent lives, and nothing of it stays broken once there are some again.
 */
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Agent, startAgent } from '../helpers/agent.ts';
import { gameConfig, startGame, uniqueGameName } from '../helpers/game.ts';
import { http } from '../helpers/http.ts';

const LIMIT = 128;
/** More than that, so that the next is taken in when one is cut. */
const CONNECTIONS = 400;
/** The agent looks at what it costs every five seconds. */
const STARVED_MS = 7_000;

const name = uniqueGameName();
const sockets: Socket[] = [];
let agent: Agent;
beforeAll(async () => {
  const profiles = { kid: { os_users: ['root'], daily_limit_minutes: 0, grace_seconds: 0 } };
  agent = await startAgent({
    config: { ...gameConfig(name), profiles },
    command: ['prlimit', `--nofile=${LIMIT}:${LIMIT}`, process.execPath],
  });
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await agent.dispose();
});

test.runIf(process.platform === 'linux' && process.getuid?.() === 0)(
  'a game that starts while there is no descriptor is closed when there is one, by the same agent',
  { timeout: 90_000 },
  async () => {
    for (let n = 0; n < CONNECTIONS; n += 1) {
      sockets.push(connect(agent.port, '127.0.0.1').on('error', () => {}));
    }
    const left = () => LIMIT - readdirSync(`/proc/${agent.pid}/fd`).length;
    await expect.poll(left, { timeout: 10_000 }).toBeLessThanOrEqual(0);
    const game = await startGame(name);
    await new Promise((resolve) => setTimeout(resolve, STARVED_MS));
    for (const socket of sockets) socket.destroy();

    expect(await game.exited).toMatchObject({ signal: 'SIGTERM' });
    const { json } = await http({
      url: agent.url,
      path: '/desktop/status?client_id=right',
      token: agent.token('view'),
    });
    expect(json.agent.health).toEqual([]);
    expect(await agent.stop()).toBe(0);
  },
);
