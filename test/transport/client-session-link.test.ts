/** The session's state machine once it is live: other frames, the link itself, slow clients, one cursor for both transports. */
import { describe, expect, test } from 'vitest';
import { problem } from '../../src/protocol/problems.ts';
import {
  ack,
  append,
  clients,
  clock,
  cursor,
  deskAnswers,
  failures,
  freshForEachTest,
  hub,
  open,
  range,
  reliable,
  say,
} from './session-bench.ts';

freshForEachTest();

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

  test('W4: a refused command keeps an id of 64 characters, however long they are in UTF-16; a longer one is none', async () => {
    const { socket, session } = open({ role: 'view' });
    const [longest, tooLong] = ['😀'.repeat(64), '😀'.repeat(65)];
    for (const command_id of [longest, tooLong]) {
      say(session, { type: 'command', payload: { command: 'pause', command_id } });
    }
    await new Promise((resolve) => setImmediate(resolve));
    const ids = socket.of('command_result').map((result) => result.command_id);
    expect(ids).toEqual([longest, undefined]);
  });

  test('section 5: a refusal with more errors than 64 KiB hold tells those that fit and how many do not', async () => {
    const errors = Array.from({ length: 5_000 }, (_, i) => ({ path: `k${i}`, message: 'unknown key' }));
    const refusal = { ok: false, problem: problem('schema-mismatch', 'No.', { errors }) } as const;
    deskAnswers({ command: async () => refusal });
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
    deskAnswers({ command });
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
    deskAnswers({
      command: async () => {
        throw new Error('bug');
      },
    });
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
