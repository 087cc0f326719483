/** WebSocket → poll → WebSocket with a real agent behind a network that takes one transport away, then both, then neither. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Connection, connect, memoryPositions } from '../../src/client/index.ts';
import { type Agent, startAgent } from '../helpers/agent.ts';
import { gameConfig, uniqueGameName } from '../helpers/game.ts';
import { LONG_TIMEOUT_MS, report, roundsOf, timeIsUp } from '../helpers/long-run.ts';
import { FaultyProxy } from '../helpers/proxy.ts';

/** Contract section 2, `http_polling.interval` as it comes. */
const POLL_INTERVAL_MS = 2_000;
const RETURN_MS = 1_000;

let agent: Agent;
let proxy: FaultyProxy;
let connection: Connection;
/** When each title came, ms. */
const seen = new Map<string, number>();
const titles: string[] = [];
const offsets: number[] = [];

beforeAll(async () => {
  agent = await startAgent({ config: gameConfig(uniqueGameName()) });
  proxy = new FaultyProxy(() => agent.port);
  await proxy.start();
  connection = await connect(
    { url: proxy.url, token: agent.token('view') },
    { clientId: 'desk', positionStore: memoryPositions() },
  );
  void (async () => {
    for await (const event of connection) {
      offsets.push(event.meta.offset);
      if (event.type === 'notification') {
        titles.push(event.data.title);
        seen.set(event.data.title, performance.now());
      }
      await event.ack();
    }
  })();
});
afterAll(async () => {
  await connection.close();
  await proxy.stop();
  await agent.dispose();
});

/** Makes an event past the proxy; returns how long it took to the program, ms. */
async function latencyOf(title: string): Promise<number> {
  const begun = performance.now();
  const answer = await fetch(`${agent.url}/desktop/command`, {
    method: 'POST',
    headers: { authorization: `Bearer ${agent.token('control')}`, 'content-type': 'application/json' },
    body: JSON.stringify({ command: 'send_notification', parameters: { title, message: 'm' } }),
  });
  expect(answer.status).toBe(200);
  await until(() => seen.has(title));
  return (seen.get(title) ?? 0) - begun;
}

const until = (fits: () => boolean) => expect.poll(fits, { timeout: 15_000, interval: 2 }).toBe(true);
const over = (transport: 'websocket' | 'polling') => until(() => connection.state.transport === transport);

it(
  'D9 D2: WebSocket → poll → WebSocket: an event within one poll interval, then within a second',
  async () => {
    const rounds = roundsOf(20);
    const made: string[] = [];
    const afterFall: number[] = [];
    const afterReturn: number[] = [];
    await over('websocket');
    for (let round = 0; round < rounds && !timeIsUp(); round++) {
      made.push(`fall ${round}`, `return ${round}`);
      proxy.refusingUpgrades = true;
      proxy.resetAll();
      afterFall.push(await latencyOf(`fall ${round}`));
      await over('polling');

      // Everything is gone for a moment, and then everything is back.
      proxy.refusing = true;
      proxy.resetAll();
      await until(() => connection.state.status === 'waiting');
      proxy.refusingUpgrades = false;
      proxy.refusing = false;
      afterReturn.push(await latencyOf(`return ${round}`));
      await over('websocket');
    }
    const worst = (ms: readonly number[]) => Math.round(Math.max(...ms));
    report('switches', {
      switches: afterReturn.length,
      faults: proxy.faults,
      'worst after the fall, ms': worst(afterFall),
      'worst after the return, ms': worst(afterReturn),
    });
    expect(worst(afterFall)).toBeLessThan(POLL_INTERVAL_MS);
    expect(worst(afterReturn)).toBeLessThan(RETURN_MS);
    expect(titles).toEqual(made);
    expect(offsets).toEqual(offsets.map((_, i) => offsets[0]! + i));
    expect(proxy.faults).toBeGreaterThanOrEqual(2 * afterReturn.length);
    expect(afterReturn.length).toBeGreaterThan(0);
  },
  LONG_TIMEOUT_MS,
);
