/** D7: what retention took from a client that has acknowledged nothing, with a real agent that keeps few events. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Connection, connect, memoryPositions } from '../../src/client/index.ts';
import type { Gap } from '../../src/protocol/position.ts';
import { type Agent, startAgent } from '../helpers/agent.ts';
import { gameConfig, uniqueGameName } from '../helpers/game.ts';
import { http } from '../helpers/http.ts';

const KEPT = 5;

let agent: Agent;
const open: Connection[] = [];

beforeAll(async () => {
  agent = await startAgent({ config: gameConfig(uniqueGameName(), { retention: { max_events: KEPT } }) });
});
afterEach(async () => {
  for (const connection of open.splice(0)) await connection.close();
});
afterAll(async () => {
  await agent.dispose();
});

/** Makes so many events; returns the first offset kept, once retention has been at work. */
async function make(count: number): Promise<number> {
  const ask = (path: string, body: object) =>
    http({ url: agent.url, path, token: agent.token('control'), body });
  for (let i = 0; i < count; i++) {
    const parameters = { title: `n${i}`, message: 'text' };
    await ask('/desktop/command', { command: 'send_notification', parameters });
  }
  const ends = async () => (await ask('/desktop/connect', { client_id: 'looker' })).json;
  const kept = async () => (await ends()).last_offset - (await ends()).first_offset + 1;
  await expect.poll(kept, { timeout: 10_000 }).toBe(KEPT);
  return (await ends()).first_offset;
}

/** The first event that a client of this name is given, and the gaps told before it; nothing is acknowledged. */
async function look(
  clientId: string,
  transport: 'auto' | 'polling',
): Promise<{ first: number; gaps: Gap[] }> {
  const gaps: Gap[] = [];
  const target = { url: agent.url, token: agent.token('view') };
  const options = {
    clientId,
    transport,
    positionStore: memoryPositions(),
    onGap: (gap: Gap) => gaps.push(gap),
  };
  const connection = await connect(target, options);
  open.push(connection);
  for await (const event of connection) return { first: event.meta.offset, gaps };
  throw new Error('the events ended');
}

describe.each(['auto', 'polling'] as const)('transport %s', (transport) => {
  it('D7: a client that never acknowledged is told exactly what it lost since it was first seen', async () => {
    const name = `new-${transport}`;
    const began = await make(KEPT + 3);
    expect(await look(name, transport)).toEqual({ first: began, gaps: [] });

    const kept = await make(KEPT + 3);
    const { first, gaps } = await look(name, transport);
    expect(first).toBe(kept);
    const { epoch } = agent.json();
    const [from, to] = [began - 1, kept - 1].map((offset) => ({ epoch, offset }));
    expect(gaps).toEqual([{ from, to, lost: kept - began, reason: 'retention' }]);
  });
});
