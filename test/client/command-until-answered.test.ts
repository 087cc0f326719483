/** K2: a command whose answer is lost or late, on a clock of its own. */
import { beforeEach, describe, expect, it } from 'vitest';
import { AgentError, type CommandRequest } from '../../src/client/agent-api.ts';
import { commandUntilAnswered } from '../../src/client/command-until-answered.ts';
import type { CommandAnswer } from '../../src/protocol/commands.ts';
import { FakeClock } from '../helpers/fake-clock.ts';

const ANSWER = { status: 'success' } as unknown as CommandAnswer;
const REFUSED = new Error('connect ECONNREFUSED');

let clock: FakeClock;
let asked: { readonly at: number; readonly id: unknown }[];
let closed: boolean;
beforeEach(() => {
  clock = new FakeClock();
  asked = [];
  closed = false;
});

/** Sends it to an agent that answers the n-th attempt so; an error rejects, null never settles. */
function send(agent: (attempt: number) => CommandAnswer | Error | null, request: CommandRequest) {
  const api = {
    command: (body: CommandRequest, signal: AbortSignal) =>
      new Promise<CommandAnswer>((resolve, reject) => {
        asked.push({ at: clock.monotonic(), id: 'command_id' in body ? body.command_id : null });
        signal.addEventListener('abort', () => reject(new Error('aborted')));
        const answer = agent(asked.length);
        if (answer instanceof Error) reject(answer);
        else if (answer) resolve(answer);
      }),
  };
  const done = commandUntilAnswered({ api, clock, stopped: () => closed }, request);
  const settled = done.then(
    (value) => ({ value, at: clock.monotonic() }),
    (error: Error) => ({ error, at: clock.monotonic() }),
  );
  return settled;
}

/** Lets so much time pass in steps, and whatever waits for it happen. */
async function pass(seconds: number): Promise<void> {
  const turns = async () => {
    for (let turn = 0; turn < 8; turn++) await Promise.resolve();
  };
  await turns();
  for (let i = 0; i < seconds * 4; i++) {
    clock.advance(250);
    await turns();
  }
}

const pause: CommandRequest = { command: 'pause' };
const stopping = {
  type: 'urn:playwarden:problem:stopping',
  title: '',
  status: 503,
  detail: 'The agent stops.',
};

describe('K2: a command', () => {
  it('is asked for again under the same id while an agent restarts, for 30 s', async () => {
    const began = clock.monotonic();
    const sent = send(() => (clock.monotonic() - began < 20_000 ? REFUSED : ANSWER), pause);
    await pass(25);
    expect(await sent).toMatchObject({ value: ANSWER });
    expect(new Set(asked.map(({ id }) => id)).size).toBe(1);
    expect(asked.length).toBeGreaterThan(10);
  });

  it('is given up after 30 s, and the rejection says under which id it may be asked for', async () => {
    const began = clock.monotonic();
    const sent = send(() => REFUSED, { ...pause, command_id: 'mine' });
    await pass(40);
    const { error, at } = (await sent) as { error: Error; at: number };
    expect(error).toMatchObject({ name: 'UnansweredError', message: REFUSED.message, commandId: 'mine' });
    expect(at - began).toBeGreaterThan(28_000);
    expect(at - began).toBeLessThanOrEqual(31_000);
  });

  it('a 503 is no answer, and its retry_after_ms is heeded', async () => {
    const problem = { ...stopping, instance: '/', retry_after_ms: 3_000 };
    const sent = send((n) => (n < 3 ? new AgentError(503, problem) : ANSWER), pause);
    await pass(8);
    expect(await sent).toMatchObject({ value: ANSWER });
    expect(asked.map(({ at }) => at - (asked[0]?.at ?? 0))).toEqual([0, 3_000, 6_000]);
  });

  it('a refusal is not repeated, and carries the id', async () => {
    const sent = send(() => new AgentError(403, null), { ...pause, command_id: 'mine' });
    await pass(1);
    expect(await sent).toMatchObject({ error: { name: 'AgentError', status: 403, commandId: 'mine' } });
    expect(asked).toHaveLength(1);
  });

  it('a close may take as long as close_wait_seconds can say, and may then be under way', async () => {
    const began = clock.monotonic();
    const sent = send(() => null, { command: 'force_close', command_id: 'mine' });
    await pass(320);
    const { error, at } = (await sent) as { error: Error; at: number };
    expect(at - began).toBe(310_000);
    expect(error).toMatchObject({ name: 'UnansweredError', commandId: 'mine' });
    expect(error.message).toContain('may be under way, or never have reached it');
    expect(asked).toHaveLength(1);
  });

  it('get_live_status is answered at once or not at all', async () => {
    const sent = send(() => null, { command: 'get_live_status' });
    await pass(16);
    expect(await sent).toMatchObject({ error: { name: 'UnansweredError' } });
  });

  it('what changes a rule is not waited for as a close is', async () => {
    const began = clock.monotonic();
    const sent = send(() => null, pause);
    await pass(60);
    expect(((await sent) as { at: number }).at - began).toBe(30_000);
  });

  it('is not repeated once the connection is closed', async () => {
    const sent = send(() => REFUSED, pause);
    await pass(2);
    closed = true;
    await pass(1);
    expect(await sent).toMatchObject({ error: { name: 'UnansweredError' } });
  });
});
