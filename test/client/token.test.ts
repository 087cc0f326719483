/** W6: what a client makes of 4501, the close of a rotated token. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { memoryPositions } from '../../src/client/browser.ts';
import { Connection } from '../../src/client/core.ts';
import { nodePlatform } from '../../src/client/node.ts';
import { NotRunningError } from '../../src/client/not-running.ts';
import { FakeAgent } from './fake-agent.ts';

let agent: FakeAgent;
let connection: Connection;
/** The agent's file is not to be had. */
let hidden = false;

beforeEach(async () => {
  hidden = false;
  agent = new FakeAgent();
  await agent.start();
  const options = { clientId: 'desk', positionStore: memoryPositions() };
  const platform = nodePlatform({ url: '', token: agent.token }, options);
  const resolve = async () => {
    if (hidden) throw new NotRunningError('no agent runs');
    return { url: agent.url, token: agent.token };
  };
  connection = await Connection.open({ ...platform, resolve }, { clientId: 'desk' });
  await expect.poll(() => connection.state.transport).toBe('websocket');
  await expect.poll(() => agent.sockets.size).toBe(1);
});
afterEach(async () => {
  await connection.close();
  await agent.stop();
});

it('W6: 4501 while the agent cannot be found is not the end: it comes back when it can', async () => {
  hidden = true;
  agent.closeSockets(4501);
  await expect.poll(() => connection.state.status).toBe('waiting');
  hidden = false;
  await expect.poll(() => connection.state.transport, { timeout: 10_000 }).toBe('websocket');
});

it('W6: 4501 with the same token still in its place is the end', async () => {
  agent.closeSockets(4501);
  await expect.poll(() => connection.state.status).toBe('stopped');
});
