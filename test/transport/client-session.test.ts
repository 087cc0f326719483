/** The session's state machine, driven by a fake socket and a fake clock. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { Position } from '../../src/protocol/position.ts';
import { problem } from '../../src/protocol/problems.ts';
import { ClientSession, type SessionContext, type SessionStart } from '../../src/transport/client-session.ts';
import { Hub } from '../../src/transport/hub.ts';
import type { SendResult, Socket } from '../../src/transport/socket.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { MemoryClients, MemoryLog, numbered } from '../helpers/memory-store.ts';
import { echoDesk } from '../helpers/transport-server.ts';

// biome-ignore lint/suspicious/noExplicitAny: frames of many shapes
type Frame = any;

class FakeSocket implements Socket {
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

let clock: FakeClock;
let log: MemoryLog;
let clients: MemoryClients;
let desk: ReturnType<typeof echoDesk>;
let hub: Hub;
let context: SessionContext;
const failures: unknown[] = [];

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

function open(start: Partial<SessionStart> = {}): { socket: FakeSocket; session: ClientSession } {
  const socket = new FakeSocket();
  const whole = { mode: 'simple', role: 'control', clientId: null, token: null, ...start } as const;
  const session = new ClientSession(socket, whole, context);
  hub.add(session);
  session.begin();
  return { socket, session };
}

function reliable(hello: object = {}, start: Partial<SessionStart> = {}) {
  const opened = open({ mode: 'reliable', ...start });
  say(opened.session, { type: 'hello', client_id: 'desk-1', ...hello });
  return opened;
}

function say(session: ClientSession, frame: unknown): void {
  session.message(typeof frame === 'string' ? frame : JSON.stringify(frame));
}

const ack = (offset: number, epoch = 'e1') => ({ type: 'ack', epoch, offset });
const append = (count: number) => {
  for (let i = 1; i <= count; i += 1) log.append([numbered(i)]);
};
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const cursor = (client = 'desk-1'): Position | null => clients.get(client)?.cursor ?? null;

describe('W1 simple client', () => {
  test('gets welcome, then what is queued, then what comes, and a ping after each batch', () => {
    append(3);
    const { socket } = open();
    expect(socket.frames[0]).toMatchObject({
      type: 'welcome',
      client_id: 'default',
      recovered: true,
      gap: null,
    });
    expect(socket.offsets).toEqual([1, 2, 3]);
    expect(socket.pings).toEqual(['o:3']);
    append(1);
    expect(socket.offsets).toEqual([1, 2, 3, 4]);
    expect(socket.pings).toEqual(['o:3', 'o:4']);
  });

  test('a matching pong acknowledges; a strange one does not; several may be outstanding', () => {
    append(1);
    const { socket, session } = open();
    append(1);
    append(1);
    session.pong('o:99');
    session.pong('');
    expect(cursor('default')).toBeNull();
    session.pong('o:2');
    expect(cursor('default')).toEqual({ epoch: 'e1', offset: 2 });
    session.pong('o:1');
    expect(cursor('default')).toEqual({ epoch: 'e1', offset: 2 });
    session.pong('o:3');
    expect(cursor('default')).toEqual({ epoch: 'e1', offset: 3 });
    expect(socket.closedWith).toBeNull();
  });

  test('a pong without acknowledged window leaves at most 256 in flight', () => {
    append(300);
    const { socket, session } = open();
    expect(socket.offsets).toEqual(range(1, 256));
    expect(socket.pings).toEqual(['o:256']);
    session.pong('o:256');
    expect(socket.offsets).toEqual(range(1, 300));
    expect(socket.pings).toEqual(['o:256', 'o:300']);
  });

  test('E5 a batch never mixes epochs: each ends with a ping of its own', () => {
    append(2);
    log.newEpoch('e2');
    append(3);
    const { socket } = open();
    expect(socket.offsets).toEqual([1, 2, 1, 2, 3]);
    expect(socket.pings).toEqual(['o:2', 'o:3']);
  });

  test('the same offset in two epochs is told apart by the order of the pings', () => {
    append(1);
    const { session } = open();
    log.newEpoch('e2');
    append(1);
    session.pong('o:1');
    expect(cursor('default')).toEqual({ epoch: 'e1', offset: 1 });
    session.pong('o:1');
    expect(cursor('default')).toEqual({ epoch: 'e2', offset: 1 });
  });
});

describe('W2 reliable client', () => {
  test('nothing is sent before its hello; without one it is closed with 4500 after 5 s', () => {
    append(1);
    const { socket } = open({ mode: 'reliable' });
    expect(socket.frames).toEqual([]);
    clock.advance(4_999);
    expect(socket.closedWith).toBeNull();
    clock.advance(1);
    expect(socket.closedWith).toBe(4500);
    expect(socket.frames).toEqual([{ type: 'bye', code: 4500, retry_after_ms: 0 }]);
    expect(clock.pendingTimers).toBe(0);
  });

  test.each([
    ['another frame', { type: 'ping' }],
    ['no JSON', '{'],
    ['a bad name', { type: 'hello', client_id: 'a b' }],
    ['a bad resume', { type: 'hello', resume: { epoch: 'e1', offset: -1 } }],
  ])('%s in its place is 4500', (_name, frame) => {
    const { socket, session } = open({ mode: 'reliable' });
    say(session, frame);
    expect(socket.closedWith).toBe(4500);
    expect(socket.frames.map((f) => f.type)).toEqual(['error', 'bye']);
  });

  test('without resume the cursor decides', () => {
    append(5);
    clients.acknowledge('desk-1', { epoch: 'e1', offset: 2 });
    const { socket } = reliable();
    expect(socket.frames[0]).toMatchObject({
      acked_epoch: 'e1',
      acked_offset: 2,
      first_offset: 1,
      last_offset: 5,
    });
    expect(socket.offsets).toEqual([3, 4, 5]);
  });

  test('resume goes on where the client says, below the cursor too, and moves no cursor', () => {
    append(5);
    clients.acknowledge('desk-1', { epoch: 'e1', offset: 4 });
    expect(reliable({ resume: { epoch: 'e1', offset: 1 } }).socket.offsets).toEqual([2, 3, 4, 5]);
    expect(cursor()).toEqual({ epoch: 'e1', offset: 4 });
  });

  test('resume "now" brings only what comes', () => {
    append(5);
    const { socket } = reliable({ resume: 'now' });
    expect(socket.frames[0]).toMatchObject({ recovered: true });
    append(1);
    expect(socket.offsets).toEqual([6]);
  });

  test('a resume ahead of what was ever given is 4504', () => {
    append(5);
    for (const offset of [6, 2 ** 64]) {
      expect(reliable({ resume: { epoch: 'e1', offset } }).socket.closedWith).toBe(4504);
    }
  });

  test('E5 an unknown epoch reads from the oldest, not recovered', () => {
    append(3);
    const { socket } = reliable({ resume: { epoch: 'gone', offset: 77 } });
    expect(socket.frames[0]).toMatchObject({
      recovered: false,
      gap: { lost: null, to: { epoch: 'e1', offset: 0 } },
    });
    expect(socket.offsets).toEqual([1, 2, 3]);
    expect(socket.of('gap')).toEqual([]);
  });

  test('at most 256 are in flight; each acknowledgement lets as many follow', () => {
    append(600);
    const { socket, session } = reliable();
    expect(socket.offsets).toEqual(range(1, 256));
    say(session, ack(10));
    expect(socket.offsets).toEqual(range(1, 266));
    say(session, ack(266));
    expect(socket.offsets).toEqual(range(1, 522));
    expect(cursor()).toEqual({ epoch: 'e1', offset: 266 });
  });

  test('acknowledging what was never sent is 4504: beyond the window and beyond the log', () => {
    append(300);
    const { socket, session } = reliable();
    say(session, ack(257));
    expect(socket.closedWith).toBe(4504);
    const again = reliable();
    say(again.session, ack(301));
    expect(again.socket.closedWith).toBe(4504);
    const far = reliable();
    say(far.session, ack(2 ** 64));
    expect(far.socket.closedWith).toBe(4504);
    expect(cursor()).toBeNull();
  });

  test('an acknowledgement of an older epoch, or of an unknown one, is ignored', () => {
    append(2);
    log.newEpoch('e2');
    append(2);
    const { socket, session } = reliable();
    say(session, ack(2, 'e1'));
    say(session, ack(9, 'never'));
    expect(cursor()).toBeNull();
    expect(socket.closedWith).toBeNull();
    say(session, ack(1, 'e2'));
    expect(cursor()).toEqual({ epoch: 'e2', offset: 1 });
  });

  test('W6 no acknowledgement for 30 s is 4003, progress or none in flight is not', () => {
    append(2);
    const { socket, session } = reliable();
    clock.advance(20_000);
    say(session, ack(1));
    clock.advance(20_000);
    session.pong('');
    expect(socket.closedWith).toBeNull();
    clock.advance(11_000);
    expect(socket.closedWith).toBe(4003);
    const idle = reliable({ resume: 'now' });
    for (let i = 0; i < 10; i += 1) {
      clock.advance(20_000);
      idle.session.pong('');
    }
    expect(idle.socket.closedWith).toBeNull();
  });

  test('E2 redelivered is false the first time and true from then on', () => {
    append(2);
    expect(reliable().socket.redelivered).toEqual([false, false]);
    append(1);
    const again = reliable();
    expect(again.socket.offsets).toEqual([1, 2, 3]);
    expect(again.socket.redelivered).toEqual([true, true, true]);
  });
});

describe('D7 gaps', () => {
  test('what retention took is in welcome.gap, counted, and told once on the link', () => {
    append(10);
    clients.acknowledge('desk-1', { epoch: 'e1', offset: 2 });
    log.trim(6);
    const { socket } = reliable();
    const gap = {
      from: { epoch: 'e1', offset: 2 },
      to: { epoch: 'e1', offset: 6 },
      lost: 4,
      reason: 'retention',
    };
    expect(socket.frames[0]).toMatchObject({ recovered: false, gap });
    expect(socket.offsets).toEqual([7, 8, 9, 10]);
    expect(socket.of('gap')).toEqual([]);
  });

  test('a gap between epochs that is known at the welcome is not told again in its place', () => {
    append(2);
    log.newEpoch('e2');
    append(2);
    const { socket } = reliable();
    expect(socket.frames[0].gap).toMatchObject({
      from: { epoch: 'e1', offset: 2 },
      to: { epoch: 'e2', offset: 0 },
    });
    expect(socket.offsets).toEqual([1, 2, 1, 2]);
    expect(socket.of('gap')).toEqual([]);
  });

  test('one that opens later is a frame in its place, and acknowledging beyond it ends it for good', () => {
    append(2);
    const { socket, session } = reliable();
    log.newEpoch('e2', 3, 'power_loss');
    append(2);
    expect(socket.frames.slice(1).map((f) => f.type)).toEqual([
      'agent_event',
      'agent_event',
      'gap',
      'agent_event',
      'agent_event',
    ]);
    expect(socket.of('gap')[0]).toMatchObject({ lost: 3, reason: 'power_loss' });
    say(session, ack(1, 'e2'));
    expect(reliable().socket.frames[0]).toMatchObject({ recovered: true, gap: null });
  });
});

describe('W4 other frames', () => {
  test('ping is answered, desktop_ready does nothing', () => {
    const { socket, session } = open();
    say(session, { type: 'ping' });
    say(session, { type: 'desktop_ready' });
    expect(socket.frames.slice(1)).toEqual([
      { type: 'pong', timestamp: new Date(clock.wall()).toISOString() },
    ]);
  });

  test('a command is answered with its id: a result, or a problem', async () => {
    const { socket, session } = open({ role: 'view' });
    say(session, { type: 'command', payload: { command: 'get_live_status', command_id: 'c1' } });
    say(session, { type: 'command', payload: { command: 'force_close', command_id: 'c2' } });
    say(session, { type: 'command', payload: {} });
    await Promise.resolve();
    await Promise.resolve();
    const results = socket.of('command_result');
    expect(results[0]).toMatchObject({
      command_id: 'c1',
      status: 'success',
      duplicate: false,
      result: { role: 'view' },
    });
    expect(results[1]).toMatchObject({ command_id: 'c2', status: 'error', problem: { status: 403 } });
    expect(results[2]).toMatchObject({ status: 'error', problem: { status: 422 } });
  });

  test('W4: a refused signed command is answered under the id that stands in its text', async () => {
    const { socket, session } = open({ role: 'view' });
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const jws = `${part({ alg: 'EdDSA' })}.${part({ command: 'pause', command_id: 'c1' })}.AAAA`;
    for (const signed of [jws, 'x.%.y', 'x', 5]) say(session, { type: 'command', payload: { jws: signed } });
    await new Promise((resolve) => setImmediate(resolve));
    const ids = socket.of('command_result').map((result) => result.command_id);
    expect(ids).toEqual(['c1', undefined, undefined, undefined]);
  });

  test('section 5: a refusal with more errors than 64 KiB hold tells those that fit and how many do not', async () => {
    const errors = Array.from({ length: 5_000 }, (_, i) => ({ path: `k${i}`, message: 'unknown key' }));
    const refusal = { ok: false, problem: problem('schema-mismatch', 'No.', { errors }) } as const;
    context = { ...context, desk: { ...desk, command: async () => refusal } };
    const { socket, session } = open();
    say(session, { type: 'command', payload: {} });
    await new Promise((resolve) => setImmediate(resolve));
    const [result] = socket.of('command_result');
    const told = result.problem.errors.length;
    expect(told).toBeGreaterThan(500);
    expect(result.problem.detail).toBe(`No. ${5_000 - told} more errors have no room here.`);
    expect(JSON.stringify(result).length).toBeLessThan(64 * 1024);
  });

  test('S6: at most 32 commands of a connection wait for their result, one more is refused', async () => {
    const waiting: (() => void)[] = [];
    const refusal = { ok: false, problem: problem('unavailable', 'down') } as const;
    const command = () => new Promise<typeof refusal>((resolve) => waiting.push(() => resolve(refusal)));
    context = { ...context, desk: { ...desk, command } };
    const { socket, session } = open();
    const ask = () => say(session, { type: 'command', payload: { command_id: 'c1' } });
    const statuses = () => socket.of('command_result').map((frame) => frame.problem.status);
    for (let i = 0; i < 33; i += 1) ask();
    await new Promise((resolve) => setImmediate(resolve));
    expect([waiting.length, statuses()]).toEqual([32, [429]]);
    waiting[0]?.();
    await new Promise((resolve) => setImmediate(resolve));
    ask();
    expect([waiting.length, statuses()]).toEqual([33, [429, 503]]);
  });

  test('a command that throws in the agent is answered', async () => {
    context = {
      ...context,
      desk: {
        ...desk,
        command: async () => {
          throw new Error('bug');
        },
      },
    };
    const { socket, session } = open();
    say(session, { type: 'command', payload: { command_id: 'c1' } });
    await new Promise((resolve) => setImmediate(resolve));
    expect(socket.of('command_result')[0]).toMatchObject({ command_id: 'c1', problem: { status: 500 } });
    expect(failures).toHaveLength(1);
  });

  test.each([
    ['text that is no JSON', 'nonsense'],
    ['an array', '[]'],
    ['a number', '1'],
    ['an unknown type', '{"type":"dance"}'],
    ['a second hello', '{"type":"hello"}'],
    ['deep nesting', '['.repeat(40)],
    ['an empty frame', ''],
    ['a command without payload', '{"type":"command"}'],
  ])('%s is an error frame and the link stays', (_name, text) => {
    const { socket, session } = open();
    session.message(text);
    expect(socket.of('error')[0].problem.status).toBeGreaterThanOrEqual(400);
    expect(socket.closedWith).toBeNull();
  });

  test('a binary frame is an error frame', () => {
    const { socket, session } = open();
    session.message(null);
    expect(socket.of('error')[0].problem).toMatchObject({ status: 400 });
  });

  test('ten bad frames a minute are borne, the eleventh is 4500', () => {
    const { socket, session } = open();
    for (let i = 0; i < 10; i += 1) session.message('x');
    expect(socket.closedWith).toBeNull();
    clock.advance(25_000);
    session.pong('');
    clock.advance(25_000);
    session.pong('');
    clock.advance(10_001);
    for (let i = 0; i < 10; i += 1) session.message('x');
    expect(socket.closedWith).toBeNull();
    session.message('x');
    expect(socket.closedWith).toBe(4500);
  });
});

describe('W6 W7 the link', () => {
  test('pings every 25 s; 35 s of silence is 4004 with a bye before', () => {
    const { socket } = reliable();
    clock.advance(25_000);
    expect(socket.pings).toEqual(['']);
    clock.advance(9_000);
    expect(socket.closedWith).toBeNull();
    clock.advance(1_000);
    expect(socket.closedWith).toBe(4004);
    expect(socket.frames.at(-1)).toEqual({ type: 'bye', code: 4004, retry_after_ms: 1_000 });
    expect(clock.pendingTimers).toBe(0);
  });

  test('W7: any frame, ping or pong is life', () => {
    const { socket, session } = reliable();
    for (let i = 0; i < 20; i += 1) {
      clock.advance(30_000);
      if (i % 3 === 0) session.pong('');
      else if (i % 3 === 1) session.ping();
      else say(session, { type: 'desktop_ready' });
    }
    expect(socket.closedWith).toBeNull();
  });

  test('a newer connection of the same named client replaces the older one with 4502', () => {
    const first = reliable();
    const second = reliable();
    expect(first.socket.closedWith).toBe(4502);
    expect(second.socket.closedWith).toBeNull();
    expect(reliable({ client_id: 'desk-2' }).socket.closedWith).toBeNull();
    expect(second.socket.closedWith).toBeNull();
  });

  test('a displaced nameless one is told to come back after 30 s with 4002', () => {
    const first = open();
    open();
    expect(first.socket.closedWith).toBe(4002);
    expect(first.socket.frames.at(-1)).toEqual({ type: 'bye', code: 4002, retry_after_ms: 30_000 });
  });

  test('H1 a ninth client is refused', () => {
    for (let i = 1; i <= 8; i += 1) clients.open(`c${i}`);
    const { socket } = reliable({ client_id: 'c9' });
    expect(socket.frames[0]).toMatchObject({ type: 'error', problem: { status: 409 } });
    expect(socket.closedWith).toBe(4500);
  });

  test('nothing is left running once a socket is gone', () => {
    const { session } = reliable();
    session.closed();
    expect(clock.pendingTimers).toBe(0);
    expect(hub.sockets).toBe(0);
    append(1);
    say(session, { type: 'ping' });
    session.pong('o:1');
  });
});

describe('D6 slow clients', () => {
  test('a buffered send stops the flow until the socket drains; nothing is skipped', () => {
    append(5);
    const { socket, session } = open({ mode: 'reliable' });
    socket.results = ['sent', 'sent', 'buffered'];
    say(session, { type: 'hello', client_id: 'desk-1' });
    expect(socket.offsets).toEqual([1, 2]);
    append(1);
    expect(socket.offsets).toEqual([1, 2]);
    session.drain();
    expect(socket.offsets).toEqual([1, 2]);
    socket.buffered = 0;
    session.drain();
    expect(socket.offsets).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('a drain that was never told is found within a second', () => {
    append(2);
    const { socket, session } = open({ mode: 'reliable' });
    socket.results = ['sent', 'buffered'];
    say(session, { type: 'hello' });
    socket.buffered = 0;
    clock.advance(1_000);
    expect(socket.offsets).toEqual([1, 2]);
  });

  test('a dropped event closes with 4001; the log still has it', () => {
    append(3);
    const { socket, session } = open({ mode: 'reliable' });
    socket.results = ['sent', 'sent', 'dropped'];
    say(session, { type: 'hello', client_id: 'desk-1' });
    expect(socket.closedWith).toBe(4001);
    const again = reliable();
    expect(again.socket.offsets).toEqual([1, 2, 3]);
    expect(again.socket.redelivered).toEqual([true, false, false]);
  });

  test('a client that asks and never reads is 4001', () => {
    const { socket, session } = open();
    socket.results = Array(20_000).fill('buffered');
    for (let i = 0; i < 20_000 && socket.closedWith === null; i += 1) say(session, { type: 'ping' });
    expect(socket.closedWith).toBe(4001);
    expect(socket.buffered).toBeLessThan(600 * 1024);
  });

  test('a stalled reader with events in flight is 4003', () => {
    append(400);
    const { socket, session } = reliable();
    for (let i = 0; i < 3; i += 1) {
      clock.advance(10_000);
      session.pong('');
    }
    clock.advance(1_000);
    expect(socket.closedWith).toBe(4003);
    expect(socket.offsets).toHaveLength(256);
  });
});

describe('D9 one cursor for both transports', () => {
  test('what was acknowledged over the poll opens the window and is not sent again', () => {
    append(600);
    const { socket, session } = reliable();
    clients.acknowledge('desk-1', { epoch: 'e1', offset: 400 });
    clients.markSent('desk-1', { epoch: 'e1', offset: 400 });
    session.cursorMoved(null, { epoch: 'e1', offset: 400 });
    expect(socket.offsets).toEqual([...range(1, 256), ...range(401, 600)]);
  });

  test('a link that was asked to read again from below the cursor is not moved on', () => {
    append(300);
    clients.acknowledge('desk-1', { epoch: 'e1', offset: 290 });
    const { socket, session } = reliable({ resume: { epoch: 'e1', offset: 0 } });
    session.cursorMoved({ epoch: 'e1', offset: 290 }, { epoch: 'e1', offset: 295 });
    expect(socket.offsets).toEqual(range(1, 300));
  });

  test('an event that came over the poll may be acknowledged here', () => {
    append(300);
    const { socket, session } = reliable();
    clients.markSent('desk-1', { epoch: 'e1', offset: 290 });
    say(session, ack(290));
    expect(socket.closedWith).toBeNull();
    expect(cursor()).toEqual({ epoch: 'e1', offset: 290 });
    expect(socket.offsets.slice(256)).toEqual(range(291, 300));
  });
});
