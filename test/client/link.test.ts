/** Which transport, and when to try again: the whole of it as steps, without a socket or a timer. */
import { describe, expect, it } from 'vitest';
import {
  backoff,
  closeMeaning,
  INITIAL_LINK,
  type LinkEffect,
  type LinkInput,
  type LinkState,
  POLL_RETRY,
  REFUSED_RETRY_MS,
  SOCKET_RETRY,
  step,
} from '../../src/client/link.ts';
import { CLOSE_CODES } from '../../src/protocol/problems.ts';

function run(...inputs: LinkInput[]): { state: LinkState; effects: LinkEffect[] } {
  let state = INITIAL_LINK;
  let effects: readonly LinkEffect[] = [];
  for (const input of inputs) [state, effects] = step(state, input);
  return { state, effects: [...effects] };
}
const start: LinkInput = { type: 'start', socket: true };
const opened: LinkInput = { type: 'socket.open', at: 0 };
const closed = (over: Partial<Extract<LinkInput, { type: 'socket.closed' }>> = {}): LinkInput => ({
  type: 'socket.closed',
  at: 0,
  random: 0.5,
  verdict: 'resume',
  retryAfterMs: null,
  reason: 'gone',
  ...over,
});
const pollFailed = (refused = false): LinkInput => ({
  type: 'poll.failed',
  random: 0.5,
  refused,
  retryAfterMs: null,
  reason: 'no',
});

describe('W6: close codes', () => {
  it.each(Object.entries(CLOSE_CODES))('W6: %s has the verdict of the table', (code, { verdict }) => {
    expect(closeMeaning(Number(code)).verdict).toBe(verdict);
  });

  it.each([
    [1000, 'resume'],
    [1001, 'resume'],
    [1006, 'resume'],
    [1007, 'resume'],
    [1009, 'resume'],
    [4099, 'resume'],
    [4999, 'stop'],
  ])('W6: %i, which no table names, is %s', (code, verdict) => {
    expect(closeMeaning(code)).toEqual({ verdict, reason: `closed with ${code}` });
  });
});

describe('the link', () => {
  it('tries the WebSocket first, alone', () => {
    expect(run(start).effects).toEqual([{ type: 'socket.open' }]);
  });

  it('polls at once when the WebSocket fails, and tries it again after 0.5 s', () => {
    expect(run(start, closed()).effects).toEqual([{ type: 'socket.wait', ms: 500 }, { type: 'poll.start' }]);
  });

  it('tries the WebSocket at 0.5, 1, 2, 4, 8, 16, 20, 20 s', () => {
    const waits = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => backoff(SOCKET_RETRY, n, 0.5) / 1_000);
    expect(waits).toEqual([0.5, 1, 2, 4, 8, 16, 20, 20]);
  });

  it('jitters by a fifth either way and never beyond the cap', () => {
    expect(backoff(SOCKET_RETRY, 1, 0)).toBe(400);
    expect(backoff(SOCKET_RETRY, 1, 1)).toBeCloseTo(600);
    expect(backoff(SOCKET_RETRY, 50, 1)).toBe(SOCKET_RETRY.capMs);
  });

  it('waits as long as the bye asked', () => {
    expect(run(start, opened, closed({ retryAfterMs: 30_000 })).effects).toContainEqual({
      type: 'socket.wait',
      ms: 30_000,
    });
  });

  it('stops polling once the WebSocket is open', () => {
    const { state, effects } = run(start, closed(), { type: 'socket.due' }, opened);
    expect(effects).toEqual([{ type: 'poll.stop' }]);
    expect(state).toMatchObject({ socket: 'open', poll: 'off' });
  });

  it('goes on polling while the WebSocket is tried again', () => {
    const { state, effects } = run(start, closed(), { type: 'socket.due' }, closed());
    expect(effects).toEqual([{ type: 'socket.wait', ms: 1_000 }]);
    expect(state.poll).toBe('running');
  });

  it('counts failures anew after a socket that lived 5 s, not after one that fell at once', () => {
    const failedTwice = [start, closed(), { type: 'socket.due' } as const, opened];
    expect(run(...failedTwice, closed({ at: 4_000 })).state.socketFailures).toBe(2);
    expect(run(...failedTwice, closed({ at: 5_000 })).state.socketFailures).toBe(1);
  });

  it('tries a failed poll again within a second, a refused one after a while', () => {
    expect(run(start, closed(), pollFailed()).effects).toEqual([
      { type: 'poll.wait', ms: POLL_RETRY.firstMs },
    ]);
    expect(run(start, closed(), pollFailed(true)).effects).toEqual([
      { type: 'poll.wait', ms: REFUSED_RETRY_MS },
    ]);
  });

  it('tries the WebSocket at once when a poll is answered after failures: the agent is back', () => {
    const { effects } = run(start, closed(), pollFailed(), { type: 'poll.due' }, { type: 'poll.answered' });
    expect(effects).toEqual([{ type: 'socket.open' }]);
  });

  it('tries the WebSocket at once when a poll is refused after it found nobody: the agent is back', () => {
    const foundNobody = [start, closed(), pollFailed(), { type: 'poll.due' } as const];
    const { state, effects } = run(...foundNobody, pollFailed(true));
    expect(effects).toEqual([{ type: 'poll.wait', ms: REFUSED_RETRY_MS }, { type: 'socket.open' }]);
    expect(state).toMatchObject({ socket: 'opening', poll: 'resting' });
    // Only once: what is refused again and again tells nothing new.
    const refusedAgain = [closed(), { type: 'poll.due' } as const, pollFailed(true)];
    expect(run(...foundNobody, pollFailed(true), ...refusedAgain).effects).toEqual([
      { type: 'poll.wait', ms: REFUSED_RETRY_MS },
    ]);
  });

  it('stops both transports for good on a verdict to stop, and ignores what comes later', () => {
    const { state, effects } = run(start, opened, closed({ verdict: 'stop' }));
    expect(effects).toEqual([{ type: 'socket.stop' }, { type: 'poll.stop' }]);
    expect(step(state, { type: 'socket.due' })).toEqual([state, []]);
  });
});
