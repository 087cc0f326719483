/**
 * The doctor as a desktop client, from now on and under a name that the agent does not remember, so that nothing that
 * waits for another client is touched: one reliable WebSocket (contract W2), or polling where that is all there is.
 */
import { AgentApi } from '../../client/agent-api.ts';
import { memoryPositions } from '../../client/browser.ts';
import { findEndpoint } from '../../client/discover.ts';
import { nodePlatform } from '../../client/node.ts';
import { nodeFetch } from '../../client/node-fetch.ts';
import type { DeliveredEvent } from '../../protocol/events.ts';
import { HTTP_LIMITS, PASSING_CLIENT } from '../../protocol/http.ts';
import type { Position } from '../../protocol/position.ts';
import type { WelcomeFacts } from './judge.ts';

const ANSWER_MS = 5_000;

export interface Watch {
  readonly welcome: WelcomeFacts;
  /** The first event from the welcome on that is wanted; null when none comes within `ms`. */
  event(wanted: (event: DeliveredEvent) => boolean, ms: number): Promise<DeliveredEvent | null>;
  /** Acknowledges what came, and leaves. */
  close(): void;
}

/** Over the WebSocket. Rejects with the reason when no welcome comes. */
export async function watchEvents(dataDir: string): Promise<Watch> {
  const platform = nodePlatform({ dataDir }, { clientId: PASSING_CLIENT, positionStore: memoryPositions() });
  const endpoint = await findEndpoint(dataDir);
  const asked = performance.now();
  const seen = new Seen();
  /** What the agent said before it closed, which its close code does not. */
  let refusal = '';

  const opened = await new Promise<{
    readonly lastOffset: number;
    readonly socket: ReturnType<typeof platform.openSocket>;
  }>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(why));
    const timer = setTimeout(() => {
      socket.close();
      fail(`nothing came within ${ANSWER_MS} ms`);
    }, ANSWER_MS);
    const socket = platform.openSocket(endpoint, {
      onOpen: () => socket.send(JSON.stringify({ type: 'hello', client_id: PASSING_CLIENT, resume: 'now' })),
      onMessage: (text) => {
        const frame = JSON.parse(text);
        if (frame.type === 'welcome') {
          clearTimeout(timer);
          resolve({ lastOffset: frame.last_offset, socket });
        } else if (frame.type === 'error') refusal = frame.problem.detail;
        else if (frame.meta) seen.add([frame]);
      },
      onClose: (code, reason) => {
        clearTimeout(timer);
        fail(refusal || `the connection was closed (${code}${reason && `, ${reason}`})`);
      },
    });
  });

  return {
    welcome: { over: 'websocket', lastOffset: opened.lastOffset, tookMs: performance.now() - asked },
    event: (wanted, ms) => seen.first(wanted, ms),
    close() {
      const { last } = seen;
      if (last) opened.socket.send(JSON.stringify({ type: 'ack', epoch: last.epoch, offset: last.offset }));
      opened.socket.close();
    },
  };
}

/** By polling, from `now` on. Rejects with the agent's refusal, or when it does not answer. */
export async function pollEvents(dataDir: string, now: Position): Promise<Watch> {
  const api = new AgentApi(nodeFetch, () => findEndpoint(dataDir), PASSING_CLIENT);
  const seen = new Seen();
  const abort = new AbortController();
  const asked = performance.now();
  let at = now;
  const poll = async (waitSeconds: number, signal: AbortSignal): Promise<void> => {
    const answer = await api.poll(at, HTTP_LIMITS.maxPollEvents, waitSeconds, signal);
    at = { epoch: answer.epoch, offset: answer.next_after };
    seen.add(answer.events);
  };
  await poll(0, AbortSignal.timeout(ANSWER_MS));
  const tookMs = performance.now() - asked;
  void (async () => {
    while (!abort.signal.aborted) await poll(HTTP_LIMITS.maxPollWaitSeconds, abort.signal);
  })().catch(() => {}); // What is missed then is missed by the self-test, which says so.
  return {
    welcome: { over: 'polling', lastOffset: now.offset, tookMs },
    event: (wanted, ms) => seen.first(wanted, ms),
    close: () => abort.abort(),
  };
}

/** The events that came, and who waits for one. */
class Seen {
  readonly #events: DeliveredEvent[] = [];
  readonly #wakers = new Set<() => void>();

  get last(): Position | null {
    return this.#events.at(-1)?.meta ?? null;
  }

  add(events: readonly DeliveredEvent[]): void {
    this.#events.push(...events);
    for (const wake of [...this.#wakers]) wake();
  }

  first(wanted: (event: DeliveredEvent) => boolean, ms: number): Promise<DeliveredEvent | null> {
    return new Promise((resolve) => {
      const settle = (event: DeliveredEvent | null) => {
        clearTimeout(timer);
        this.#wakers.delete(look);
        resolve(event);
      };
      const look = () => {
        const found = this.#events.find(wanted);
        if (found) settle(found);
      };
      const timer = setTimeout(() => settle(null), ms);
      this.#wakers.add(look);
      look();
    });
  }
}
