/** D8: the long poll as a loop, on a clock of its own: how often it asks, and how it gives up. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentApi, PollAnswer } from '../../src/client/agent-api.ts';
import { type PollFailure, type PollLink, startPollLink } from '../../src/client/poll-link.ts';
import { FakeClock } from '../helpers/fake-clock.ts';

const EMPTY = { events: [], gap: null, epoch: 'e', next_after: 1, has_more: false } as unknown as PollAnswer;

let clock: FakeClock;
let link: PollLink;
/** When each poll was sent, ms since the first. */
let polls: number[];
let failures: PollFailure[];
beforeEach(() => {
  clock = new FakeClock();
  polls = [];
  failures = [];
});
afterEach(() => link.stop());

/** Answers each poll so long after it came; never: not at all. */
function start(afterMs: (waitSeconds: number) => number | 'never'): void {
  const began = clock.monotonic();
  const poll: AgentApi['poll'] = (_after, _limit, waitSeconds, signal) =>
    new Promise((resolve, reject) => {
      polls.push(clock.monotonic() - began);
      signal.addEventListener('abort', () => reject(new Error('The operation was aborted')));
      const ms = afterMs(waitSeconds);
      if (ms !== 'never') clock.after(ms, () => resolve(EMPTY));
    });
  link = startPollLink({
    api: { poll } as unknown as AgentApi,
    clock,
    position: () => ({ epoch: 'e', offset: 1 }),
    unacknowledged: () => 0,
    onAnswered: () => {},
    onEvents: () => 0,
    onGap: () => {},
    onFailed: (failure) => failures.push(failure),
  });
}

/** Lets so much time pass in steps, and whatever waits for it happen. */
async function pass(seconds: number): Promise<void> {
  for (let i = 0; i < seconds * 10; i++) {
    clock.advance(100);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('D8: polls', () => {
  it('that come back empty at once, since another program of this name ends them, are sent once a second', async () => {
    start(() => 0);
    await pass(10);
    expect(polls.length).toBeGreaterThan(5);
    expect(polls.length).toBeLessThanOrEqual(12);
  });

  it('that were held as long as they asked for follow one another without a pause', async () => {
    start((waitSeconds) => waitSeconds * 1_000);
    await pass(45);
    expect(polls.map((ms) => Math.round(ms / 1_000))).toEqual([0, 0, 20, 40]);
  });

  it('that an agent which hangs does not answer fail in plain words', async () => {
    start(() => 'never');
    await pass(11);
    expect(failures).toMatchObject([{ refused: false, reason: 'the agent did not answer within 10 s' }]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('that are stopped tell nothing and leave no timer', async () => {
    start(() => 'never');
    await pass(1);
    link.stop();
    await pass(1);
    expect(failures).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });
});
