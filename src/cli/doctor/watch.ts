/**
 * The doctor as a desktop client: one reliable WebSocket (contract W2) under a name of its own, from now on, so that
 * nothing that waits for another client is touched.
 */
import { memoryPositions } from '../../client/browser.ts';
import { findEndpoint } from '../../client/discover.ts';
import { nodePlatform } from '../../client/node.ts';
import type { DeliveredEvent } from '../../protocol/events.ts';
import type { WelcomeFacts } from './judge.ts';

const CLIENT_ID = 'playwarden-doctor';
const WELCOME_MS = 5_000;

export interface Watch {
  readonly welcome: WelcomeFacts;
  /** The first event from the welcome on that is wanted; null when none comes within `ms`. */
  event(wanted: (event: DeliveredEvent) => boolean, ms: number): Promise<DeliveredEvent | null>;
  /** Acknowledges what came, and leaves. */
  close(): void;
}

interface Welcome {
  readonly last_offset: number;
}

/** Rejects with the reason when no welcome comes. */
export async function watchEvents(dataDir: string): Promise<Watch> {
  const platform = nodePlatform({ dataDir }, { clientId: CLIENT_ID, positionStore: memoryPositions() });
  const endpoint = await findEndpoint(dataDir);
  const asked = performance.now();
  const events: DeliveredEvent[] = [];
  const wakers = new Set<() => void>();

  const opened = await new Promise<{ welcome: Welcome; socket: ReturnType<typeof platform.openSocket> }>(
    (resolve, reject) => {
      const fail = (why: string) => reject(new Error(why));
      const timer = setTimeout(() => {
        socket.close();
        fail(`nothing came within ${WELCOME_MS} ms`);
      }, WELCOME_MS);
      const socket = platform.openSocket(endpoint, {
        onOpen: () => socket.send(JSON.stringify({ type: 'hello', client_id: CLIENT_ID, resume: 'now' })),
        onMessage: (text) => {
          const frame = JSON.parse(text);
          if (frame.type === 'welcome') {
            clearTimeout(timer);
            resolve({ welcome: frame, socket });
          } else if (frame.meta) {
            events.push(frame);
            for (const wake of [...wakers]) wake();
          }
        },
        onClose: (code, reason) => {
          clearTimeout(timer);
          fail(`the connection was closed (${code}${reason && `, ${reason}`})`);
        },
      });
    },
  );

  return {
    welcome: { lastOffset: opened.welcome.last_offset, tookMs: performance.now() - asked },
    event(wanted, ms) {
      return new Promise((resolve) => {
        const settle = (event: DeliveredEvent | null) => {
          clearTimeout(timer);
          wakers.delete(look);
          resolve(event);
        };
        const look = () => {
          const found = events.find(wanted);
          if (found) settle(found);
        };
        const timer = setTimeout(() => settle(null), ms);
        wakers.add(look);
        look();
      });
    },
    close() {
      const last = events.at(-1)?.meta;
      if (last) opened.socket.send(JSON.stringify({ type: 'ack', epoch: last.epoch, offset: last.offset }));
      opened.socket.close();
    },
  };
}
