/** The real sessions, polls and hub over a log, with sockets that only note what is sent, and the reference beside them. */
import type { ClientStore, EventLog } from '../../../src/protocol/ports.ts';
import type { Position } from '../../../src/protocol/position.ts';
import { ClientSession, type SessionContext } from '../../../src/transport/client-session.ts';
import type { Reply } from '../../../src/transport/http-message.ts';
import { Hub } from '../../../src/transport/hub.ts';
import { PollAdapter } from '../../../src/transport/poll-adapter.ts';
import type { SendResult, Socket } from '../../../src/transport/socket.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';
import { echoDesk } from '../../helpers/transport-server.ts';
import type { Delivered, Item } from './reference.ts';

// biome-ignore lint/suspicious/noExplicitAny: frames of many shapes
type Frame = any;

export class NotedSocket implements Socket {
  frames: Frame[] = [];
  pings: string[] = [];
  closedWith: number | null = null;

  send(text: string): SendResult {
    this.frames.push(JSON.parse(text));
    return 'sent';
  }
  ping(payload: string): void {
    this.pings.push(payload);
  }
  batch(fn: () => void): void {
    fn();
  }
  bufferedBytes(): number {
    return 0;
  }
  end(code: number): void {
    this.closedWith = code;
  }
  /** Events and gaps since the last look, in the form of the reference. */
  take(): Delivered[] {
    const items = this.frames.filter((f) => f.meta || f.type === 'gap').map(deliveredOf);
    this.frames = this.frames.filter((f) => !f.meta && f.type !== 'gap');
    return items;
  }
}

export function deliveredOf(frame: Frame): Delivered {
  const { meta } = frame;
  if (!meta) return { item: gapOf(frame)!, redelivered: false };
  return { item: { event: { epoch: meta.epoch, offset: meta.offset } }, redelivered: meta.redelivered };
}

export function gapOf(gap: Frame): Item | null {
  return gap ? { gap: { from: gap.from, to: gap.to, lost: gap.lost } } : null;
}

export interface RealLink {
  readonly session: ClientSession;
  readonly socket: NotedSocket;
}

/** One life of a server. */
export class World {
  readonly #clock = new FakeClock();
  readonly #hub = new Hub();
  readonly #context: SessionContext;
  readonly #polls: PollAdapter;
  readonly #stop: () => void;

  constructor(log: EventLog, clients: ClientStore) {
    this.#context = {
      log,
      clients,
      desk: echoDesk(),
      clock: this.#clock,
      identified: (session) => this.#hub.identified(session),
      closed: (session) => this.#hub.remove(session),
      failed: (where, error) => {
        throw new Error(where, { cause: error });
      },
    };
    const cursorMoved = (clientId: string, from: Position | null, to: Position) =>
      this.#hub.cursorMoved(clientId, from, to);
    this.#polls = new PollAdapter({ log, clients, clock: this.#clock, cursorMoved });
    this.#stop = log.onAppend(() => {
      this.#hub.wake();
      this.#polls.wake();
    });
  }

  connect(clientId: string, simple: boolean, resume: Position | 'now' | null): RealLink {
    const socket = new NotedSocket();
    const start = {
      mode: simple ? 'simple' : 'reliable',
      role: 'view',
      clientId,
      token: null,
      origin: null,
    } as const;
    const session = new ClientSession(socket, start, this.#context);
    this.#hub.add(session);
    session.begin();
    if (!simple) session.message(JSON.stringify({ type: 'hello', ...(resume && { resume }) }));
    return { session, socket };
  }

  /** A poll that does not wait; `whole`: the answer reached the client's kernel. */
  poll(clientId: string, after: Position | null, withEpoch: boolean, limit: number, whole: boolean) {
    const query = { limit, ...(after && { after: after.offset, ...(withEpoch && { epoch: after.epoch }) }) };
    const reply = this.#polls.poll(clientId, query, () => {}) as Reply;
    reply.onWritten?.(whole);
    return { status: reply.status, body: JSON.parse(reply.body) as Frame };
  }

  stop(): void {
    this.#stop();
  }
}
