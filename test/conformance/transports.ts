/**
 * The three ways to receive (reliable, simple, poll) behind one interface, so that one case runs over each. A
 * receiver acknowledges only when told to.
 */
import { type Frame, openRaw, openReliable, type RawClient } from '../helpers/ws-client.ts';
import type { Target } from './target.ts';

export interface Receiver {
  /** Every event that arrived, in order, as it arrived. */
  events(): readonly Frame[];
  /** Waits until one that fits has arrived. */
  wait(fits: (event: Frame) => boolean, timeoutMs?: number): Promise<Frame>;
  /** Waits until nothing has come for a while. */
  settle(): Promise<readonly Frame[]>;
  /** Acknowledges up to this event; settles when the agent knows. */
  ack(event: Frame): Promise<void>;
  /** Goes without acknowledging anything more. */
  close(): Promise<void>;
}

export interface Transport {
  readonly name: string;
  /** An acknowledgement covers exactly up to the event it names, not the rest of its batch. */
  readonly exact: boolean;
  open(target: Target, clientId: string): Promise<Receiver>;
}

const reliable: Transport = {
  name: 'WebSocket, reliable',
  exact: true,
  open: async (target, clientId) => {
    const client = await openReliable({ url: target.url, token: target.view, clientId });
    await client.next((f) => f.type === 'welcome');
    return {
      ...overSocket(client),
      ack: async ({ meta: { epoch, offset } }) => {
        client.send({ type: 'ack', epoch, offset });
        // Frames are handled in order: once the ping is answered the acknowledgement was taken.
        client.send({ type: 'ping' });
        await client.next((f) => f.type === 'pong');
      },
    };
  },
};

const simple: Transport = {
  name: 'WebSocket, simple',
  exact: false,
  open: async (target, clientId) => {
    const path = `/?client_id=${clientId}`;
    const client = await openRaw({ url: target.url, token: target.view, path, autoPong: false });
    await client.next((f) => f.type === 'welcome');
    return {
      ...overSocket(client),
      // The pong that matches a ping `o:<offset>` acknowledges the batch that ended there (W1).
      ack: async ({ meta: { offset } }) => {
        const ping = await client.until(() => client.pings.find((p) => Number(p.slice(2)) >= offset));
        client.pong(ping);
        client.send({ type: 'ping' });
        await client.next((f) => f.type === 'pong');
      },
    };
  },
};

function overSocket(client: RawClient): Omit<Receiver, 'ack'> {
  return {
    events: () => client.events,
    wait: (fits, timeoutMs) => client.until(() => client.events.find(fits), timeoutMs),
    settle: () => client.settledEvents(),
    close: async () => {
      await client.close();
    },
  };
}

const poll: Transport = {
  name: 'polling',
  exact: true,
  open: async (target, clientId) => {
    const { json } = await target.http('/desktop/connect', {
      token: target.view,
      body: { client_id: clientId },
    });
    let after =
      json.acked_epoch === null
        ? { epoch: json.epoch, offset: json.first_offset - 1 }
        : { epoch: json.acked_epoch, offset: json.acked_offset };
    const events: Frame[] = [];
    const ask = async (limit = 500) => {
      const { epoch, offset } = after;
      const query = `client_id=${clientId}&epoch=${encodeURIComponent(epoch)}&after=${offset}&limit=${limit}`;
      const answer = await target.http(`/desktop/events/poll?${query}`, { token: target.view });
      if (answer.status !== 200) throw new Error(`poll: ${answer.status} ${answer.text}`);
      for (const event of answer.json.events) {
        if (!events.some((e) => e.meta.id === event.meta.id)) events.push(event);
      }
    };
    const wait: Receiver['wait'] = async (fits, timeoutMs = 20_000) => {
      for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; await pause(50)) {
        await ask();
        const found = events.find(fits);
        if (found) return found;
      }
      throw new Error(`nothing that fits in ${timeoutMs} ms; last: ${JSON.stringify(events.slice(-3))}`);
    };
    return {
      events: () => events,
      wait,
      settle: async () => {
        await ask();
        return events;
      },
      ack: async ({ meta: { epoch, offset } }) => {
        after = { epoch, offset };
        await ask(1);
      },
      close: async () => {},
    };
  },
};

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export const TRANSPORTS: readonly Transport[] = [reliable, simple, poll];
