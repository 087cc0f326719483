/**
 * Which transport to use and when to try again: a pure step from inputs to effects, without sockets, timers or
 * clocks. WebSocket first; while it is not open the poll runs; the WebSocket is tried again at 0.5, 1, 2 … 20 s.
 */
import { CLOSE_CODES } from '../protocol/problems.ts';

/** First wait and cap of the WebSocket's retries, ms. */
export const SOCKET_RETRY = { firstMs: 500, capMs: 20_000 } as const;
/** A poll that fails is tried more often: it is the last transport, and a refused connection to localhost is cheap. */
export const POLL_RETRY = { firstMs: 250, capMs: 1_000 } as const;
/** After a refusal that waiting alone will not mend (a wrong token, a switched-off transport), ms. */
export const REFUSED_RETRY_MS = 20_000;
/** A socket that lived this long was healthy: the next failure starts counting anew, ms. */
const STABLE_MS = 5_000;

export type Verdict = 'resume' | 'stop';

/** What a close code says and asks of a client (contract W6); codes that nobody named go by their range. */
export function closeMeaning(code: number): { readonly verdict: Verdict; readonly reason: string } {
  const known = Object.entries(CLOSE_CODES).find(([key]) => Number(key) === code)?.[1];
  const verdict = code >= 4500 && code <= 4999 ? 'stop' : 'resume';
  return known ?? { verdict, reason: `closed with ${code}` };
}

export interface LinkState {
  readonly socket: 'off' | 'opening' | 'open' | 'resting';
  readonly socketFailures: number;
  /** When the socket opened, monotonic ms. */
  readonly openedAt: number;
  readonly poll: 'off' | 'running' | 'resting';
  /** The last poll was answered: the agent is there. */
  readonly pollWorks: boolean;
  readonly pollFailures: number;
  /** The last poll was neither answered nor refused: the agent may be away. */
  readonly away: boolean;
  readonly reason: string | null;
  readonly stopped: boolean;
}

export type LinkInput =
  | { readonly type: 'start'; readonly socket: boolean }
  | { readonly type: 'socket.open'; readonly at: number }
  | {
      readonly type: 'socket.closed';
      readonly at: number;
      readonly random: number;
      readonly verdict: Verdict;
      /** What the agent's `bye` asked for, ms. */
      readonly retryAfterMs: number | null;
      readonly reason: string;
    }
  | { readonly type: 'socket.due' }
  | { readonly type: 'poll.answered' }
  | {
      readonly type: 'poll.failed';
      readonly random: number;
      /** The agent answered and said no. */
      readonly refused: boolean;
      readonly retryAfterMs: number | null;
      readonly reason: string;
    }
  | { readonly type: 'poll.due' }
  | { readonly type: 'close'; readonly reason: string };

export type LinkEffect =
  | { readonly type: 'socket.open' }
  | { readonly type: 'socket.stop' }
  | { readonly type: 'socket.wait'; readonly ms: number }
  | { readonly type: 'poll.start' }
  | { readonly type: 'poll.stop' }
  | { readonly type: 'poll.wait'; readonly ms: number };

export type LinkStep = readonly [state: LinkState, effects: readonly LinkEffect[]];

export const INITIAL_LINK: LinkState = {
  socket: 'off',
  socketFailures: 0,
  openedAt: 0,
  poll: 'off',
  pollWorks: false,
  pollFailures: 0,
  away: false,
  reason: null,
  stopped: false,
};

export function step(s: LinkState, input: LinkInput): LinkStep {
  if (s.stopped) return [s, []];
  switch (input.type) {
    case 'start':
      return input.socket
        ? [{ ...s, socket: 'opening' }, [{ type: 'socket.open' }]]
        : [{ ...s, poll: 'running' }, [{ type: 'poll.start' }]];
    case 'socket.open':
      return [
        { ...s, socket: 'open', openedAt: input.at, poll: 'off', pollFailures: 0, away: false, reason: null },
        s.poll === 'off' ? [] : [{ type: 'poll.stop' }],
      ];
    case 'socket.closed':
      return input.verdict === 'stop' ? stop(s, input.reason) : socketClosed(s, input);
    case 'socket.due':
      return s.socket === 'resting' ? [{ ...s, socket: 'opening' }, [{ type: 'socket.open' }]] : [s, []];
    case 'poll.answered':
      return pollAnswered(s);
    case 'poll.failed':
      return pollFailed(s, input);
    case 'poll.due':
      return s.poll === 'resting' ? [{ ...s, poll: 'running' }, [{ type: 'poll.start' }]] : [s, []];
    case 'close':
      return stop(s, input.reason);
  }
}

function stop(s: LinkState, reason: string): LinkStep {
  return [
    { ...s, socket: 'off', poll: 'off', pollWorks: false, reason, stopped: true },
    [{ type: 'socket.stop' }, { type: 'poll.stop' }],
  ];
}

function socketClosed(s: LinkState, input: Extract<LinkInput, { type: 'socket.closed' }>): LinkStep {
  const lived = s.socket === 'open' && input.at - s.openedAt >= STABLE_MS;
  const failures = lived ? 1 : s.socketFailures + 1;
  const ms = Math.max(backoff(SOCKET_RETRY, failures, input.random), input.retryAfterMs ?? 0);
  const polling = s.poll !== 'off';
  return [
    {
      ...s,
      socket: 'resting',
      socketFailures: failures,
      poll: polling ? s.poll : 'running',
      pollWorks: polling && s.pollWorks,
      reason: input.reason,
    },
    [{ type: 'socket.wait', ms }, ...(polling ? [] : [{ type: 'poll.start' } as const])],
  ];
}

function pollAnswered(s: LinkState): LinkStep {
  if (s.poll !== 'running') return [s, []];
  const next = { ...s, pollWorks: true, pollFailures: 0, away: false };
  return s.pollFailures > 0 ? openAtOnce(next) : [next, []];
}

function pollFailed(s: LinkState, input: Extract<LinkInput, { type: 'poll.failed' }>): LinkStep {
  if (s.poll !== 'running') return [s, []];
  const failures = s.pollFailures + 1;
  const ms = input.refused ? REFUSED_RETRY_MS : backoff(POLL_RETRY, failures, input.random);
  const away = !input.refused;
  const next: LinkState = {
    ...s,
    poll: 'resting',
    pollWorks: false,
    pollFailures: failures,
    away,
    reason: input.reason,
  };
  // With polling switched off a refusal is all that tells of an agent's return.
  const [state, effects]: LinkStep = s.away && !away ? openAtOnce(next) : [next, []];
  return [state, [{ type: 'poll.wait', ms: Math.max(ms, input.retryAfterMs ?? 0) }, ...effects]];
}

/** The agent is back: the WebSocket need not wait for the rest of its pause. */
function openAtOnce(s: LinkState): LinkStep {
  if (s.socket !== 'resting') return [s, []];
  return [{ ...s, socket: 'opening', socketFailures: 0 }, [{ type: 'socket.open' }]];
}

/** Doubling from `firstMs`, 20 % of jitter either way, never over `capMs`. `failures` counts from 1. */
export function backoff(
  { firstMs, capMs }: { readonly firstMs: number; readonly capMs: number },
  failures: number,
  random: number,
): number {
  const doubled = Math.min(capMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return Math.min(capMs, doubled * (0.8 + 0.4 * random));
}
