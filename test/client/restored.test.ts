/** An older copy of the agent's data directory was put back: the client stands beyond the end of the log. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryPositions } from '../../src/client/browser.ts';
import type { Connection } from '../../src/client/core.ts';
import { type Arrival, Inbox } from '../../src/client/inbox.ts';
import type { DeliveredEvent } from '../../src/protocol/events.ts';
import type { Gap } from '../../src/protocol/position.ts';
import { connectTo, take, until } from './connect-to.ts';
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

const beyond = { epoch: 'e1', offset: 50 };

describe.each(['auto', 'polling'] as const)('transport %s', (transport) => {
  it('D7, W6: a position that the agent never gave is forgotten and told as a gap; its cursor decides', async () => {
    for (const title of ['one', 'two', 'three']) agent.emit(title);
    agent.cursor = { epoch: 'e1', offset: 1 };
    const store = memoryPositions([beyond]);
    const gaps: Gap[] = [];
    connection = await connectTo(agent, { transport, store, onGap: (gap) => gaps.push(gap) });
    const seen: string[] = [];
    for await (const event of connection) {
      // Before anything of the new history is acknowledged the old position is gone from the store.
      if (seen.length === 0) expect(await store.load()).toEqual([]);
      seen.push(event.meta.id);
      await event.ack();
      if (seen.length === 2) break;
    }
    expect(seen).toEqual(['e1-2', 'e1-3']);
    expect(gaps).toEqual([
      { from: beyond, to: { epoch: 'e1', offset: 0 }, lost: null, reason: expect.any(String) },
    ]);
    expect(await store.load()).toEqual([{ epoch: 'e1', offset: 3 }]);
  });
});

it('what the program had in hand before may be acknowledged, and moves nothing', async () => {
  for (const title of ['one', 'two', 'three']) agent.emit(title);
  const gaps: Gap[] = [];
  connection = await connectTo(agent, { onGap: (gap) => gaps.push(gap) });
  const events = connection[Symbol.asyncIterator]();
  const [, second, third] = [await events.next(), await events.next(), await events.next()].map(
    (n) => n.value,
  );
  await second?.ack();
  const { port } = agent;
  await agent.stop();
  agent.log.length = 1;
  agent.cursor = null;
  await until(connection, (s) => s.status === 'waiting');
  await agent.start(port);
  expect((await events.next()).value).toMatchObject({ meta: { offset: 1 } });
  await third?.ack();
  expect(connection.position).toBeNull();
  expect(gaps).toHaveLength(1);
  agent.emit('another two');
  expect(await take(connection, 1)).toEqual(['another two']);
  expect(connection.position).toEqual({ epoch: 'e1', offset: 2 });
});

it('so does what it had in hand of a number that the new history has given again', () => {
  const inbox = new Inbox([]);
  const event = (offset: number): Arrival => ({
    kind: 'event',
    event: { meta: { epoch: 'e1', offset } } as DeliveredEvent,
  });
  for (const offset of [1, 2, 3]) inbox.offer(event(offset));
  inbox.beginAnew({
    from: { epoch: 'e1', offset: 3 },
    to: { epoch: 'e1', offset: 0 },
    lost: null,
    reason: 'r',
  });
  for (const offset of [2, 3]) inbox.offer(event(offset));
  expect(inbox.acknowledge({ epoch: 'e1', offset: 3 })).toEqual([]);
  expect(inbox.unacknowledged).toBe(2);
});

it('W6: 4504 to a hello without a position is the end', async () => {
  agent.refuseHello = 4504;
  connection = await connectTo(agent);
  await until(connection, (s) => s.status === 'stopped');
  expect(agent.hellos).toHaveLength(1);
});
