/** H3: a confirmation may be said twice, so it is repeated until there is an answer, as a command is. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../src/client/agent-api.ts';
import type { Connection } from '../../src/client/core.ts';
import { untilAnswered } from '../../src/client/until-answered.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { connectTo } from './connect-to.ts';
import { FakeAgent } from './fake-agent.ts';

describe('with an agent', () => {
  let agent: FakeAgent;
  let connection: Connection;
  beforeEach(async () => {
    agent = new FakeAgent();
    await agent.start();
    connection = await connectTo(agent);
  });
  afterEach(async () => {
    await connection.close();
    await agent.stop();
  });

  it('H3: a confirmation outlives a restart of the agent', async () => {
    const { port } = agent;
    await agent.stop();
    const confirmed = connection.confirmSync('kim_1');
    await expect.poll(() => connection.state.status).toBe('waiting');
    await agent.start(port);
    expect(await confirmed).toMatchObject({ status: 'success' });
  });

  it('H3: a refusal is an AgentError at once', async () => {
    agent.failHttp = 401;
    await expect(connection.confirmSync('kim_1')).rejects.toMatchObject({ name: 'AgentError', status: 401 });
  });

  it('H3: without an answer it is an UnansweredError, soon once the connection is closed', async () => {
    await agent.stop();
    const confirmed = connection.confirmSync('kim_1');
    const rejected = expect(confirmed).rejects.toMatchObject({ name: 'UnansweredError', commandId: null });
    await connection.close();
    await rejected;
  });
});

describe('H3: on a clock of its own', () => {
  const MS = 15_000;

  /** What comes of it, and when each attempt was made, s. */
  async function ask(answer: (attempt: number) => string | Error | null) {
    const clock = new FakeClock();
    const began = clock.monotonic();
    const asked: number[] = [];
    const host = { clock, stopped: () => false };
    let outcome: unknown = null;
    const settled = untilAnswered(host, { ms: MS, repeatLate: true }, (signal) => {
      asked.push((clock.monotonic() - began) / 1_000);
      return new Promise<string>((resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('aborted')));
        const given = answer(asked.length);
        if (given instanceof Error) reject(given);
        else if (given) resolve(given);
      });
    }).then(
      (value) => {
        outcome = value;
      },
      (error: Error) => {
        outcome = error;
      },
    );
    while (outcome === null) {
      await new Promise((resolve) => setImmediate(resolve));
      if (outcome === null) clock.advance(500);
    }
    await settled;
    return { outcome, asked };
  }

  it('H3: a hung agent is asked again after 15 s, and given up 30 s after the first failure', async () => {
    const { outcome, asked } = await ask(() => null);
    expect(asked).toEqual([0, 15.5, 31]);
    expect(outcome).toMatchObject({ name: 'TimeoutError', message: 'the agent did not answer within 15 s' });
  });

  it('H3: one that was hung and is back has it', async () => {
    expect(await ask((n) => (n < 3 ? null : 'confirmed'))).toEqual({
      outcome: 'confirmed',
      asked: [0, 15.5, 31],
    });
  });

  it('H3: an agent that restarts is asked twice a second, one that refuses once', async () => {
    const restarting = await ask((n) => (n < 3 ? new Error('ECONNREFUSED') : 'confirmed'));
    expect(restarting).toEqual({ outcome: 'confirmed', asked: [0, 0.5, 1] });
    const refusing = await ask(() => new AgentError(409, null));
    expect(refusing).toMatchObject({ outcome: { status: 409 }, asked: [0] });
  });
});
