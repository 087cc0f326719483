/** The session's state machine, driven by a fake socket and a fake clock: both kinds of client, and gaps. */
import { describe, expect, test } from 'vitest';
import {
  ack,
  append,
  clients,
  clock,
  cursor,
  freshForEachTest,
  log,
  open,
  range,
  reliable,
  say,
} from './session-bench.ts';

freshForEachTest();

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

  test('E5 an acknowledgement of an older epoch counts while a newer one is in flight, and moves nothing back', () => {
    append(2);
    log.newEpoch('e2');
    append(2);
    const { socket, session } = reliable();
    say(session, ack(1, 'e1'));
    expect(cursor()).toEqual({ epoch: 'e1', offset: 1 });
    say(session, ack(1, 'e2'));
    say(session, ack(2, 'e1'));
    expect(cursor()).toEqual({ epoch: 'e2', offset: 1 });
    expect(socket.closedWith).toBeNull();
    expect(socket.offsets).toEqual([1, 2, 1, 2]);
  });

  test('E5 an acknowledgement of an unknown epoch, or of one that was forgotten, is ignored', () => {
    append(2);
    log.newEpoch('e2');
    append(2);
    const { socket, session } = reliable();
    log.dropOldestEpoch();
    say(session, ack(2, 'e1'));
    say(session, ack(9, 'never'));
    expect(cursor()).toBeNull();
    expect(socket.closedWith).toBeNull();
    say(session, ack(1, 'e2'));
    expect(cursor()).toEqual({ epoch: 'e2', offset: 1 });
  });

  test('W6 a slow client that acknowledges one epoch while the next is in flight is not overdue', () => {
    append(3);
    log.newEpoch('e2');
    append(1);
    const { socket, session } = reliable();
    for (const to of [ack(1, 'e1'), ack(2, 'e1'), ack(3, 'e1'), ack(1, 'e2')]) {
      clock.advance(20_000);
      say(session, to);
    }
    clock.advance(20_000);
    expect(socket.closedWith).toBeNull();
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
