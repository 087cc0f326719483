/** Networks as they are: frames cut in the middle, resets, stalls, a trickle. Every test says what it injected. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryPositions } from '../../src/client/browser.ts';
import { Connection } from '../../src/client/core.ts';
import { nodePlatform } from '../../src/client/node.ts';
import { FaultyProxy } from '../helpers/proxy.ts';
import { FakeAgent } from './fake-agent.ts';

const EVENTS = 200;
let agent: FakeAgent;
let proxy: FaultyProxy;
let connection: Connection;
let seen: string[];
let reading: Promise<void>;

beforeEach(async () => {
  agent = new FakeAgent();
  await agent.start();
  proxy = new FaultyProxy(() => agent.port);
  await proxy.start();
  const endpoint = { url: proxy.url, token: agent.token };
  const platform = nodePlatform(endpoint, { clientId: 'desk', positionStore: memoryPositions() });
  connection = await Connection.open(platform, { clientId: 'desk' });
  seen = [];
  reading = (async () => {
    for await (const event of connection) {
      seen.push(event.type === 'notification' ? event.data.title : event.type);
      await event.ack();
      if (seen.length >= EVENTS) break;
    }
  })();
});
afterEach(async () => {
  await connection.close();
  await proxy.stop();
  await agent.stop();
});

const expected = Array.from({ length: EVENTS }, (_, i) => `n${i}`);
const until = (fits: () => boolean) => expect.poll(fits, { timeout: 15_000, interval: 5 }).toBe(true);

/** Emits all events; before one in twenty, once the client has caught up and is connected, a fault. */
async function emitWith(fault: (i: number) => void | Promise<void>): Promise<void> {
  for (let i = 0; i < EVENTS; i++) {
    if (i % 20 === 10) {
      await until(() => seen.length === i && connection.state.status === 'connected');
      await fault(i);
    }
    agent.emit(`n${i}`);
  }
  await reading;
}

describe('D2: each event once and in order', () => {
  it('when connections are cut in the middle of a frame', async () => {
    await emitWith((i) => proxy.cutAfter(1 + ((i * 37) % 300)));
    expect(seen).toEqual(expected);
    expect(proxy.faults).toBeGreaterThanOrEqual(5);
  }, 60_000);

  it('when connections are reset', async () => {
    let rounds = 0;
    await emitWith(async () => {
      rounds++;
      // Between two polls there is no connection to reset: it goes on until one was.
      const before = proxy.faults;
      await until(() => {
        proxy.resetAll();
        return proxy.faults > before;
      });
    });
    expect(seen).toEqual(expected);
    expect(proxy.faults).toBeGreaterThanOrEqual(rounds);
    expect(rounds).toBe(EVENTS / 20);
  }, 60_000);

  it('when the link stalls and then falls', async () => {
    let swallowed = 0;
    await emitWith(async () => {
      const before = proxy.faults;
      proxy.stalled = true;
      // Swallowed on its way, if a socket is open to carry it.
      agent.sendAll({ type: 'pong', timestamp: '' });
      await new Promise((resolve) => setTimeout(resolve, 30));
      if (proxy.faults > before) swallowed++;
      proxy.stalled = false;
      proxy.resetAll();
    });
    expect(seen).toEqual(expected);
    expect(swallowed).toBeGreaterThan(0);
  }, 60_000);

  it.each([
    ['the WebSocket', 12],
    ['polling', 17],
  ] as const)(
    'when everything comes at 1 kB a second over %s',
    async (over, count) => {
      proxy.bytesPerSecond = 1_000;
      proxy.refusingUpgrades = over === 'polling';
      // So that the handshake is slow too.
      proxy.resetAll();
      const before = proxy.faults;
      for (let i = 0; i < count; i++) agent.emit(`n${i}`);
      await expect.poll(() => seen.length, { timeout: 40_000 }).toBe(count);
      expect(seen).toEqual(expected.slice(0, count));
      expect(proxy.faults).toBeGreaterThan(before);
      expect(connection.state.transport).toBe(over === 'polling' ? 'polling' : 'websocket');
    },
    60_000,
  );

  it('when nothing can be reached for a while', async () => {
    agent.emit('n0');
    await until(() => seen.length === 1);
    proxy.refusing = true;
    proxy.resetAll();
    await until(() => proxy.faults >= 4);
    agent.emit('n1');
    proxy.refusing = false;
    const since = Date.now();
    await until(() => seen.length === 2);
    expect(Date.now() - since).toBeLessThan(1_500);
  }, 30_000);
});
