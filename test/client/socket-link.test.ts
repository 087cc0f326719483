/** One WebSocket without a socket: what its end says, and what is left of it. */
import { describe, expect, it } from 'vitest';
import type { OpenSocket, SocketHandlers } from '../../src/client/ports.ts';
import { type SocketEnd, startSocketLink } from '../../src/client/socket-link.ts';
import type { HelloFrame } from '../../src/protocol/frames.ts';
import { FakeClock } from '../helpers/fake-clock.ts';

const ENDPOINT = { url: 'http://127.0.0.1:1', token: 'x' };
const POSITION = { epoch: 'e', offset: 7 };
const WELCOME = {
  type: 'welcome',
  message: '',
  protocol: 1,
  client_id: 'desk',
  agent_id: 'a',
  epoch: 'e',
  first_offset: 1,
  last_offset: 9,
  acked_epoch: null,
  acked_offset: 0,
  recovered: true,
  gap: null,
  timestamp: '',
};

function start(hello: Partial<HelloFrame>, openSocket?: OpenSocket) {
  const clock = new FakeClock();
  const ends: SocketEnd[] = [];
  const handlers: SocketHandlers[] = [];
  const opened: OpenSocket = (_, given) => {
    handlers.push(given);
    return { send: () => {}, close: () => {} };
  };
  const link = () =>
    startSocketLink(ENDPOINT, {
      openSocket: openSocket ?? opened,
      clock,
      hello: () => ({ type: 'hello', client_id: 'desk', ...hello }),
      onWelcome: () => {},
      onEvent: () => true,
      onGap: () => true,
      onEnd: (end) => ends.push(end),
      storedOffset: () => -1,
    });
  return { clock, ends, link, handlers: () => handlers[0] as SocketHandlers };
}

describe('a WebSocket', () => {
  it('that cannot even be opened leaves no timer behind', () => {
    const { clock, link, ends } = start({}, () => {
      throw new SyntaxError('no such URL');
    });
    expect(link).toThrow('no such URL');
    expect(clock.pendingTimers).toBe(0);
    expect(ends).toEqual([]);
  });

  it('that is not welcomed ends after 3 s', () => {
    const { clock, link, ends } = start({});
    link();
    clock.advance(3_000);
    expect(ends).toMatchObject([{ code: 1006, reason: 'no welcome in time' }]);
    expect(clock.pendingTimers).toBe(0);
  });

  it.each([
    ['a position in the hello, before the welcome', { resume: POSITION }, false, true],
    ['a position in the hello, after the welcome', { resume: POSITION }, true, false],
    ['no position, before the welcome', {}, false, false],
    ['resume "now", before the welcome', { resume: 'now' as const }, false, false],
  ])('W6: 4504 with %s', (_, hello, welcomed, positionUnknown) => {
    const { link, ends, handlers } = start(hello);
    link();
    handlers().onOpen();
    if (welcomed) handlers().onMessage(JSON.stringify(WELCOME));
    handlers().onClose(4504, '');
    const reason = 'acknowledged what was never sent';
    expect(ends).toEqual([{ code: 4504, reason, retryAfterMs: null, positionUnknown }]);
  });
});
