/** What becomes of acknowledgements that the store refuses, and of those that come out of order. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryPositions } from '../../src/client/browser.ts';
import type { Connection } from '../../src/client/core.ts';
import type { PositionStore, ReceivedEvent } from '../../src/client/ports.ts';
import { type ConnectOptions, connectTo } from './connect-to.ts';
import { FakeAgent } from './fake-agent.ts';

let agent: FakeAgent;
let connection: Connection;
beforeEach(async () => {
  agent = new FakeAgent();
  await agent.start();
});
afterEach(async () => {
  await connection.close();
  await agent.stop();
});

async function hold(count: number, options: ConnectOptions): Promise<ReceivedEvent[]> {
  connection = await connectTo(agent, options);
  const held: ReceivedEvent[] = [];
  for await (const event of connection) if (held.push(event) === count) break;
  return held;
}

/** A store in memory that refuses at first. */
class FullDisk implements PositionStore {
  full = true;
  readonly #kept = memoryPositions();

  load = () => this.#kept.load();
  save: PositionStore['save'] = async (positions) => {
    if (this.full) throw new Error('disk full');
    await this.#kept.save(positions);
  };
}

describe.each(['auto', 'polling'] as const)('transport %s', (transport) => {
  it('D2: what a store refused is stored once it works, and the agent is told, though nothing more is acknowledged', async () => {
    agent.emit('one');
    agent.emit('two');
    const store = new FullDisk();
    const held = await hold(2, { store, transport });
    for (const event of held) await expect(event.ack()).rejects.toThrow('disk full');
    expect(connection.position).toBeNull();
    store.full = false;
    const end = { epoch: 'e1', offset: 2 };
    await expect.poll(() => agent.cursor, { timeout: 30_000 }).toEqual(end);
    expect(await store.load()).toEqual([end]);
    expect(connection.position).toEqual(end);
  });
});

it('E5: acknowledgements out of order never move the position back to an older epoch', async () => {
  agent.emit('one');
  agent.epoch = 'e2';
  agent.emit('two');
  const store = memoryPositions();
  const [old, young] = await hold(2, { store });
  await young?.ack();
  await old?.ack();
  expect(connection.position).toEqual({ epoch: 'e2', offset: 1 });
  expect(await store.load()).toEqual([
    { epoch: 'e1', offset: 1 },
    { epoch: 'e2', offset: 1 },
  ]);
});
