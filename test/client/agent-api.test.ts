/** What answers on the agent's port may be anything: it becomes an AgentError, never a failure of ours. */
import { expect, it } from 'vitest';
import { AgentApi, AgentError } from '../../src/client/agent-api.ts';

const api = (status: number, text: string) =>
  new AgentApi(
    async () => ({ status, text: async () => text }),
    async () => ({ url: 'http://127.0.0.1:1', token: 't' }),
    'desk',
  );

it.each([
  ['a type that is no text', 500, '{"type":5,"detail":"x"}'],
  ['no detail', 409, '{"type":"urn:playwarden:problem:x"}'],
  ['a detail that is no text', 409, '{"type":"urn:playwarden:problem:x","detail":{}}'],
  ['no JSON', 502, '<html>'],
  ['a number', 200, '7'],
  ['nothing', 200, ''],
])('an answer with %s has no problem and no slug', async (_title, status, text) => {
  const error = await api(status, text)
    .status(new AbortController().signal)
    .catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(AgentError);
  expect(error).toMatchObject({ status, problem: null, slug: null });
});
