/** The long poll over a real server: what the network does to it. */
import { connect } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { numbered } from '../helpers/memory-store.ts';
import { CONTROL, type TestServer, testServer } from '../helpers/transport-server.ts';

let t: TestServer;
beforeEach(async () => {
  t = await testServer();
});
afterEach(async () => {
  await t.stop();
  expect(t.errors).toEqual([]);
});

const poll = async (query = '') => {
  const { body } = await t.request(`/desktop/events/poll?client_id=p&${query}`);
  return body.events.map((e: { meta: { offset: number } }) => e.meta.offset) as number[];
};
const raw = (query: string) =>
  `GET /desktop/events/poll?client_id=p&${query} HTTP/1.1\r\nHost: localhost:${t.port}\r\nAuthorization: Bearer ${CONTROL}\r\n\r\n`;

test('D8 wait ends with the first event, at once', async () => {
  const waiting = poll('wait=25');
  await expect.poll(() => t.server.connectedClients()).toBe(1);
  const began = performance.now();
  t.log.append([numbered(1)]);
  expect(await waiting).toEqual([1]);
  expect(performance.now() - began).toBeLessThan(5_000);
});

test('D8 without after: acknowledged by the next poll, once', async () => {
  t.log.append([numbered(1), numbered(2)]);
  expect(await poll()).toEqual([1, 2]);
  expect(t.clients.get('p')?.cursor).toBeNull();
  expect(await poll()).toEqual([]);
  expect(t.clients.get('p')?.cursor?.offset).toBe(2);
});

test('the client goes while the long poll waits: the same events on the next poll', async () => {
  const socket = connect(t.port, '127.0.0.1', () => socket.write(raw('wait=25')));
  await expect.poll(() => t.server.connectedClients()).toBe(1);
  socket.destroy();
  // Only a poll that waits counts with so short an interval.
  t.transports.pollIntervalSeconds = 0;
  await expect.poll(() => t.server.connectedClients()).toBe(0);
  t.log.append([numbered(1)]);
  expect(t.clients.get('p')?.sent).toBeNull();
  expect(await poll()).toEqual([1]);
});

test('D8 an answer that was not written whole is not acknowledged by the next poll', async () => {
  // More than the kernel's buffers take, so that the answer hangs half-way.
  t.log.append([{ ...numbered(1), data: { message: 'x'.repeat(12_000_000) } } as never]);
  const socket = connect(t.port, '127.0.0.1', () => socket.write(raw('limit=1')));
  socket.pause();
  await expect.poll(() => t.clients.get('p')?.sent?.offset).toBe(1);
  socket.resetAndDestroy();
  const again = (await t.request('/desktop/events/poll?client_id=p')).body.events;
  expect(again).toHaveLength(1);
  expect(again[0].meta).toMatchObject({ offset: 1, redelivered: true });
  expect(t.clients.get('p')?.cursor).toBeNull();
  expect(await poll()).toEqual([]);
  expect(t.clients.get('p')?.cursor?.offset).toBe(1);
});

test('the client dies with the answer unread, polling with after: the same events on the next poll', async () => {
  t.log.append([numbered(1), numbered(2), numbered(3)]);
  expect(await poll('after=1')).toEqual([2, 3]);
  const socket = connect(t.port, '127.0.0.1', () => socket.write(raw('after=1')));
  await new Promise((resolve) => socket.once('readable', resolve));
  socket.resetAndDestroy();
  expect(await poll('after=1')).toEqual([2, 3]);
  expect(t.clients.get('p')?.cursor?.offset).toBe(1);
});

test('D8 a second poll of the same client ends the waiting one at once with an empty answer', async () => {
  const first = poll('wait=25');
  await expect.poll(() => t.server.connectedClients()).toBe(1);
  const second = poll('wait=25');
  expect(await first).toEqual([]);
  t.log.append([numbered(1)]);
  expect(await second).toEqual([1]);
});

test('D9 from the socket to the poll and back: one cursor, nothing lost, nothing sent twice', async () => {
  t.log.append([numbered(1), numbered(2), numbered(3)]);
  const socket = t.socket({ protocols: ['playwarden.v1'] }).hello({ client_id: 'p' });
  await socket.untilEvents(3);
  socket.send({ type: 'ack', epoch: 'epoch-1', offset: 2 });
  await socket.settled();
  expect(await poll()).toEqual([3]);
  expect(await poll('after=3')).toEqual([]);
  t.log.append([numbered(4)]);
  await socket.untilEvents(4);
  expect(socket.offsets).toEqual([1, 2, 3, 4]);
  socket.ws.terminate();
  await socket.closed;
  const again = t.socket({ protocols: ['playwarden.v1'] }).hello({ client_id: 'p' });
  expect(await again.untilEvents(1)).toEqual([4]);
});

test('an answer larger than the socket buffers arrives whole', async () => {
  const large = { ...numbered(1), data: { message: 'x'.repeat(60_000) } } as never;
  for (let i = 0; i < 60; i += 1) t.log.append([large]);
  const offsets: number[] = [];
  for (;;) {
    const page = await poll(`after=${offsets.at(-1) ?? 0}`);
    if (page.length === 0) break;
    offsets.push(...page);
  }
  expect(offsets).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
});
