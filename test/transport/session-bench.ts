/** A client's session on a fake socket, a fake clock and a log in memory. */
import { beforeEach } from 'vitest';
import type { Position } from '../../src/protocol/position.ts';
import { ClientSession, type SessionContext, type SessionStart } from '../../src/transport/client-session.ts';
import { Hub } from '../../src/transport/hub.ts';
import type { SendResult, Socket } from '../../src/transport/socket.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { MemoryClients, MemoryLog, numbered } from '../helpers/memory-store.ts';
import { echoDesk } from '../helpers/transport-server.ts';

// biome-ignore lint/suspicious/noExplicitAny: frames of many shapes
export type Frame = any;

/** A socket that keeps what was sent, and takes as much as a test lets it. */
export class FakeSocket implements Socket {
  readonly frames: Frame[] = [];
  readonly pings: string[] = [];
  closedWith: number | null = null;
  buffered = 0;
  /** What the next sends return; then 'sent'. */
  results: SendResult[] = [];

  send(text: string): SendResult {
    const result = this.results.shift() ?? 'sent';
    if (result === 'buffered') this.buffered += text.length;
    if (result !== 'dropped') this.frames.push(JSON.parse(text));
    return result;
  }
  ping(payload: string): void {
    this.pings.push(payload);
  }
  batch(fn: () => void): void {
    fn();
  }
  bufferedBytes(): number {
    return this.buffered;
  }
  end(code: number): void {
    this.closedWith = code;
  }
  get offsets(): number[] {
    return this.frames.filter((f) => f.meta).map((f) => f.meta.offset);
  }
  get redelivered(): boolean[] {
    return this.frames.filter((f) => f.meta).map((f) => f.meta.redelivered);
  }
  of(type: string): Frame[] {
    return this.frames.filter((f) => f.type === type);
  }
}

export let clock: FakeClock;
export let log: MemoryLog;
export let clients: MemoryClients;
export let desk: ReturnType<typeof echoDesk>;
export let hub: Hub;
let context: SessionContext;
export const failures: unknown[] = [];

/** Everything anew for each test of the file that calls this. */
export function freshForEachTest(): void {
  beforeEach(() => {
    clock = new FakeClock();
    log = new MemoryLog('e1');
    clients = new MemoryClients(log, () => clock.wall());
    desk = echoDesk();
    hub = new Hub();
    failures.length = 0;
    context = {
      log,
      clients,
      desk,
      clock,
      identified: (session) => hub.identified(session),
      closed: (session) => hub.remove(session),
      failed: (_where, error) => failures.push(error),
    };
    log.onAppend(() => hub.wake());
  });
}

/** From the next session on the desk answers so. */
export function deskAnswers(changes: Partial<SessionContext['desk']>): void {
  context = { ...context, desk: { ...desk, ...changes } };
}

export function open(start: Partial<SessionStart> = {}): { socket: FakeSocket; session: ClientSession } {
  const socket = new FakeSocket();
  const whole = {
    mode: 'simple',
    role: 'control',
    clientId: null,
    token: null,
    origin: null,
    ...start,
  } as const;
  const session = new ClientSession(socket, whole, context);
  hub.add(session);
  session.begin();
  return { socket, session };
}

export function reliable(hello: object = {}, start: Partial<SessionStart> = {}) {
  const opened = open({ mode: 'reliable', ...start });
  say(opened.session, { type: 'hello', client_id: 'desk-1', ...hello });
  return opened;
}

export function say(session: ClientSession, frame: unknown): void {
  session.message(typeof frame === 'string' ? frame : JSON.stringify(frame));
}

export const ack = (offset: number, epoch = 'e1') => ({ type: 'ack', epoch, offset });
export const append = (count: number) => {
  for (let i = 1; i <= count; i += 1) log.append([numbered(i)]);
};
export const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
export const cursor = (client = 'desk-1'): Position | null => clients.get(client)?.cursor ?? null;
