/** H1: the name under which the doctor looks in is not remembered. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PASSING_CLIENT } from '../../src/protocol/http.ts';
import { numbered } from '../helpers/memory-store.ts';
import { type TestServer, testServer } from '../helpers/transport-server.ts';

let t: TestServer;
beforeEach(async () => {
  t = await testServer();
});
afterEach(async () => {
  await t.stop();
  expect(t.errors).toEqual([]);
});

const connect = (client_id: string) =>
  t.request('/desktop/connect', { method: 'POST', body: JSON.stringify({ client_id }) });
const poll = (query: string) => t.request(`/desktop/events/poll?client_id=${PASSING_CLIENT}&${query}`);

test('H1: it comes in beside eight others, reads and acknowledges, and the store never hears of it', async () => {
  for (let i = 1; i <= 8; i++) expect((await connect(`c${i}`)).status).toBe(200);
  expect((await connect('c9')).status).toBe(409);
  t.log.append([numbered(1), numbered(2)]);
  expect((await poll('after=0')).body).toMatchObject({ count: 2, next_after: 2 });
  expect((await poll('after=2')).body).toMatchObject({ count: 0 });
  expect((await connect(PASSING_CLIENT)).body).toMatchObject({ acked_offset: 2 });
  expect(t.clients.get(PASSING_CLIENT)).toBeNull();
  expect(t.clients.list()).toHaveLength(8);
});

test('D2: what it may have been sent before is told as such', async () => {
  t.log.append([numbered(1)]);
  const redelivered = async () => (await poll('after=0')).body.events[0].meta.redelivered;
  expect([await redelivered(), await redelivered()]).toEqual([false, true]);
});
