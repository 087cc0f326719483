/** A program's connection to a fake agent, and what tests read off it. */
import { memoryPositions } from '../../src/client/browser.ts';
import { Connection } from '../../src/client/core.ts';
import { nodePlatform } from '../../src/client/node.ts';
import type { ClientOptions, ConnectionState, PositionStore, ReceivedEvent } from '../../src/client/ports.ts';
import type { FakeAgent } from './fake-agent.ts';

export type ConnectOptions = Partial<ClientOptions> & { store?: PositionStore; token?: string };

/** Follows the agent to whatever port it has. */
export function connectTo(agent: FakeAgent, options: ConnectOptions = {}): Promise<Connection> {
  const { store = memoryPositions(), token = agent.token, ...rest } = options;
  const platform = nodePlatform({ url: '', token }, { clientId: 'desk', positionStore: store });
  return Connection.open(
    { ...platform, resolve: async () => ({ url: agent.url, token }) },
    { clientId: 'desk', ...rest },
  );
}

export const titleOf = (event: ReceivedEvent) =>
  event.type === 'notification' ? event.data.title : event.type;

/** Takes so many events; acknowledges each unless told not to. */
export async function take(connection: Connection, count: number, ack = true): Promise<string[]> {
  const titles: string[] = [];
  for await (const event of connection) {
    titles.push(titleOf(event));
    if (ack) await event.ack();
    if (titles.length === count) break;
  }
  return titles;
}

export function until(
  connection: Connection,
  fits: (state: ConnectionState) => boolean,
): Promise<ConnectionState> {
  return new Promise((resolve) => {
    if (fits(connection.state)) return resolve(connection.state);
    const stop = connection.onState((state) => {
      if (!fits(state)) return;
      stop();
      resolve(state);
    });
  });
}

export const on = (transport: 'websocket' | 'polling') => (s: ConnectionState) => s.transport === transport;
