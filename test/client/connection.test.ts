/** The connection as a program has it, against a fake agent over real sockets. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryPositions } from '../../src/client/browser.ts';
import { type Connection, StoppedError } from '../../src/client/core.ts';
import type { PositionStore } from '../../src/client/ports.ts';
import type { Gap, Position } from '../../src/protocol/position.ts';
import { type ConnectOptions, connectTo, on, take, titleOf, until } from './connect-to.ts';
import { FakeAgent } from './fake-agent.ts';

let agent: FakeAgent;
const open: Connection[] = [];

beforeEach(async () => {
  agent = new FakeAgent();
  await agent.start();
});
afterEach(async () => {
  for (const connection of open.splice(0)) await connection.close();
  await agent.stop();
});

async function connect(options: ConnectOptions = {}): Promise<Connection> {
  const connection = await connectTo(agent, options);
  open.push(connection);
  return connection;
}

describe('receiving', () => {
  it('D3: takes what is queued and what is live, in order, over the WebSocket', async () => {
    agent.emit('one');
    const connection = await connect();
    await until(connection, on('websocket'));
    agent.emit('two');
    expect(await take(connection, 2)).toEqual(['one', 'two']);
  });

  it('an event prints as what was sent: ack() is not among its keys', async () => {
    agent.emit('one');
    for await (const event of await connect()) {
      expect(JSON.parse(JSON.stringify(event))).toEqual(agent.log[0]);
      expect(Object.keys(event)).toEqual(['type', 'data', 'meta']);
      break;
    }
  });

  it('polls when the upgrade is refused, and says so', async () => {
    agent.failUpgrade = 404;
    const connection = await connect();
    agent.emit('one');
    expect(await take(connection, 1)).toEqual(['one']);
    expect(connection.state).toMatchObject({ status: 'connected', transport: 'polling' });
  });

  it('goes back to the WebSocket by itself once it is to be had', async () => {
    agent.failUpgrade = 503;
    const connection = await connect();
    await until(connection, on('polling'));
    agent.failUpgrade = null;
    await until(connection, on('websocket'));
    agent.emit('one');
    expect(await take(connection, 1)).toEqual(['one']);
  });

  it('D2: twenty switches of the transport lose nothing and repeat nothing', async () => {
    const connection = await connect();
    const seen: string[] = [];
    const reading = (async () => {
      for await (const event of connection) {
        seen.push(titleOf(event));
        await event.ack();
        if (seen.length === 100) break;
      }
    })();
    let switches = 0;
    for (let i = 0; i < 100; i++) {
      agent.emit(`n${i}`);
      if (i % 5 !== 0) continue;
      switches++;
      if (agent.failUpgrade === null) {
        agent.failUpgrade = 503;
        agent.closeSockets(1001);
        await until(connection, on('polling'));
      } else {
        agent.failUpgrade = null;
        // The agent is gone and back: the client need not wait for its back-off.
        const { port } = agent;
        await agent.stop();
        await until(connection, (s) => s.status === 'waiting');
        await agent.start(port);
        await until(connection, on('websocket'));
      }
    }
    await reading;
    expect(switches).toBe(20);
    expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => `n${i}`));
  }, 60_000);

  it('finds an agent that came back on another port', async () => {
    const connection = await connect();
    await until(connection, on('websocket'));
    await agent.stop();
    await until(connection, (s) => s.status === 'waiting');
    agent.emit('while away');
    await agent.start();
    expect(await take(connection, 1)).toEqual(['while away']);
  });
});

describe('acknowledging', () => {
  it('stores the position first, then tells the agent', async () => {
    agent.emit('one');
    const order: string[] = [];
    const store: PositionStore = {
      load: async () => [],
      save: async () => {
        order.push(`stored, cursor ${agent.cursor?.offset ?? 'none'}`);
      },
    };
    const connection = await connect({ store });
    await take(connection, 1);
    await expect.poll(() => agent.cursor).toEqual({ epoch: 'e1', offset: 1 });
    expect(order).toEqual(['stored, cursor none']);
  });

  it('D2: resumes after the stored position and gets what was not acknowledged again', async () => {
    for (const title of ['one', 'two', 'three']) agent.emit(title);
    const store = memoryPositions();
    const first = await connect({ store });
    for await (const event of first) {
      if (titleOf(event) === 'one') await first.ack(event);
      if (titleOf(event) === 'three') break;
    }
    await first.close();
    expect(await take(await connect({ store }), 2)).toEqual(['two', 'three']);
    expect(agent.hellos.at(-1)).toMatchObject({ resume: { epoch: 'e1', offset: 1 } });
  });

  it('a poll never acknowledges what was not stored', async () => {
    agent.failUpgrade = 404;
    for (const title of ['one', 'two']) agent.emit(title);
    const connection = await connect({ transport: 'polling' });
    await take(connection, 2, false);
    agent.emit('three');
    await take(connection, 1, false);
    expect(agent.cursor).toBeNull();
    expect(agent.polls.every((q) => q.get('after') === '0' && !q.has('epoch'))).toBe(true);
  });

  it('D8: a program that is behind with its acknowledgements asks for no more than a poll may return', async () => {
    for (let n = 0; n < 250; n++) agent.emit(`n${n}`);
    const connection = await connect({ transport: 'polling' });
    await take(connection, 250, false);
    agent.emit('one more');
    expect(await take(connection, 1)).toEqual(['one more']);
    expect(connection.state.status).toBe('connected');
    expect(agent.polls.filter((query) => Number(query.get('limit')) > 500)).toEqual([]);
  });

  it('a store that refuses while it polls costs one poll a second, not as many as there can be', async () => {
    agent.emit('one');
    const store = { load: async () => [], save: () => Promise.reject(new Error('no room')) };
    const connection = await connect({ transport: 'polling', store });
    for await (const event of connection) {
      await expect(event.ack()).rejects.toThrow('no room');
      break;
    }
    const before = agent.polls.length;
    await expect.poll(() => agent.polls.length).toBeGreaterThan(before);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(agent.polls.length).toBeLessThan(before + 5);
  });

  it('a store that refuses makes ack() fail and moves nothing', async () => {
    agent.emit('one');
    const store: PositionStore = {
      load: async () => [],
      save: () => Promise.reject(new Error('disk full')),
    };
    for await (const event of await connect({ store })) {
      await expect(event.ack()).rejects.toThrow('disk full');
      break;
    }
    expect(agent.cursor).toBeNull();
  });

  it('an event that was never received cannot be acknowledged', async () => {
    const connection = await connect();
    const meta = { id: 'x', epoch: 'e1', offset: 99, ts: '', redelivered: false };
    await expect(connection.ack({ meta })).rejects.toThrow(RangeError);
  });
});

describe('connection refused, 500 or 401 at the client, and other failures', () => {
  it.each([401, 500] as const)('keeps its position through a while of %i', async (status) => {
    agent.emit('one');
    const store = memoryPositions();
    const first = await connect({ store });
    await take(first, 1);
    await first.close();
    const before = await store.load();
    agent.failHttp = status;
    agent.failUpgrade = status;
    const connection = await connect({ store });
    await until(connection, (s) => s.status === 'waiting');
    expect(await store.load()).toEqual(before);
    expect(connection.position).toEqual({ epoch: 'e1', offset: 1 });
    agent.failHttp = null;
    agent.failUpgrade = null;
    agent.emit('two');
    expect(await take(connection, 1)).toEqual(['two']);
  });

  it('keeps its position while the connection is refused', async () => {
    const store = memoryPositions([{ epoch: 'e1', offset: 1 }]);
    agent.emit('one');
    agent.emit('two');
    const { port } = agent;
    await agent.stop();
    const connection = await connect({ store });
    await until(connection, (s) => s.status === 'waiting');
    await agent.start(port);
    expect(await take(connection, 1)).toEqual(['two']);
  });

  it.each([4500, 4502, 4504])('W6: stops for good on %i, after what it had was read', async (code) => {
    agent.emit('one');
    const connection = await connect();
    await until(connection, on('websocket'));
    await expect.poll(() => agent.sockets.size).toBe(1);
    const titles: string[] = [];
    agent.closeSockets(code);
    await until(connection, (s) => s.status === 'stopped');
    await expect(
      (async () => {
        for await (const event of connection) titles.push(titleOf(event));
      })(),
    ).rejects.toThrow(StoppedError);
    expect(titles).toEqual(['one']);
    expect(agent.polls).toEqual([]);
  });

  it.each([4001, 4003, 4005, 1006])('W6: comes back and resumes after %i', async (code) => {
    const connection = await connect();
    await until(connection, on('websocket'));
    await expect.poll(() => agent.sockets.size).toBe(1);
    if (code === 1006) for (const socket of agent.sockets) socket.terminate();
    else agent.closeSockets(code);
    await until(connection, (s) => s.transport !== 'websocket');
    await until(connection, on('websocket'));
    expect(agent.hellos).toHaveLength(2);
  });

  it('D7: a gap is told in its place, before the first event behind it', async () => {
    const gap: Gap = {
      from: { epoch: 'e0', offset: 5 },
      to: { epoch: 'e1', offset: 0 },
      lost: null,
      reason: 'damage',
    };
    agent.gap = gap;
    agent.emit('one');
    const told: unknown[] = [];
    const store = memoryPositions([{ epoch: 'e0', offset: 5 }]);
    const connection = await connect({ store, onGap: (g) => told.push(g) });
    for await (const event of connection) {
      told.push(titleOf(event));
      break;
    }
    expect(told).toEqual([gap, 'one']);
    expect(connection.position).toEqual(gap.to);
  });

  it('D7: a gap that the welcome tells ahead of its place moves nothing before that place is reached', async () => {
    for (const title of ['one', 'two', 'three']) agent.emit(title);
    agent.epoch = 'e2';
    agent.emit('four');
    const gap: Gap = {
      from: { epoch: 'e1', offset: 3 },
      to: { epoch: 'e2', offset: 0 },
      lost: null,
      reason: 'unclean_boot',
    };
    agent.gap = gap;
    const told: unknown[] = [];
    const store = memoryPositions([{ epoch: 'e1', offset: 1 }]);
    const connection = await connect({ store, onGap: (g) => told.push(g) });
    await until(connection, on('websocket'));
    expect(connection.position).toEqual({ epoch: 'e1', offset: 1 });
    for await (const event of connection) {
      told.push(titleOf(event));
      await event.ack();
      if (titleOf(event) === 'four') break;
    }
    expect(told).toEqual(['two', 'three', gap, 'four']);
    expect(connection.position).toEqual({ epoch: 'e2', offset: 1 });
  });

  it('close() ends the loop and leaves no transport behind', async () => {
    const connection = await connect();
    await until(connection, on('websocket'));
    const loop = take(connection, 1);
    await connection.close();
    expect(await loop).toEqual([]);
    await expect.poll(() => agent.sockets.size).toBe(0);
    expect(connection.state).toMatchObject({ status: 'stopped', transport: null });
  });
});

describe('commands', () => {
  it('K2: a lost answer is asked for again under the same command_id', async () => {
    const connection = await connect();
    agent.loseAnswers = 1;
    const answer = await connection.command({ command: 'pause' });
    expect(answer).toMatchObject({ status: 'success', duplicate: true });
    expect(agent.commands).toHaveLength(2);
    expect(agent.commands[0]?.command_id).toBe(agent.commands[1]?.command_id);
  });

  it('K2: a command outlives a restart of the agent that takes some seconds', async () => {
    const connection = await connect();
    const { port } = agent;
    await agent.stop();
    const sent = connection.command({ command: 'pause' });
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    await agent.start(port);
    expect(await sent).toMatchObject({ status: 'success' });
  });

  it('a refusal is an AgentError with the problem, and is not repeated', async () => {
    const connection = await connect();
    agent.failHttp = 401;
    await expect(connection.command({ command: 'pause' })).rejects.toMatchObject({
      name: 'AgentError',
      status: 401,
      slug: 'unauthorized',
    });
    expect(agent.commands).toHaveLength(0);
  });
});

describe('positions', () => {
  it('a position is stored with the epochs before it, so that an old epoch is not taken as new', async () => {
    const saved: (readonly Position[])[] = [];
    const store: PositionStore = {
      load: async () => [],
      save: async (positions) => {
        saved.push(positions);
      },
    };
    agent.emit('one');
    agent.epoch = 'e2';
    agent.emit('two');
    await take(await connect({ store }), 2);
    expect(saved.at(-1)).toEqual([
      { epoch: 'e1', offset: 1 },
      { epoch: 'e2', offset: 1 },
    ]);
  });
});
