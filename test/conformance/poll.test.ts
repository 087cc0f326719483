/** Contract D8: the poll's cursor, bounds and waiting. */
import { describe, expect, it } from 'vitest';
import { CLIENTS, ends, notify, notifyMany, queued, skipToNow } from './sources.ts';
import { useTarget } from './target.ts';

const target = useTarget();
const poll = (query: string, more = {}) => target.http(`/desktop/events/poll?${query}`, more);
const as = (id: string) => `client_id=${id}`;

describe('D8: the poll', () => {
  it('D8: with after it acknowledges up to there and returns what follows', async () => {
    await skipToNow(target, CLIENTS.a);
    const { epoch, last } = await ends(target);
    await notifyMany(target, 3);
    const { json } = await poll(`${as(CLIENTS.a)}&epoch=${epoch}&after=${last + 1}`);
    expect(json.events[0].meta.offset).toBe(last + 2);
    expect(await queued(target, CLIENTS.a)).toBe((await ends(target)).last - last - 1);
  });

  it('D8: the client dies with the answer unread, polling with after: the same events on the next poll', async () => {
    await skipToNow(target, CLIENTS.a);
    const { epoch, last } = await ends(target);
    await notifyMany(target, 2);
    const query = `${as(CLIENTS.a)}&epoch=${epoch}&after=${last}`;
    const ids = async () => (await poll(query)).json.events.map((e: { meta: { id: string } }) => e.meta.id);
    expect(await ids()).toEqual(await ids());
  });

  it('D8: below the cursor it re-reads and never moves the cursor back', async () => {
    await skipToNow(target, CLIENTS.a);
    const { epoch, last } = await ends(target);
    await notifyMany(target, 2);
    const query = `${as(CLIENTS.a)}&epoch=${epoch}&after=${last}`;
    await poll(query);
    await skipToNow(target, CLIENTS.a);
    const before = await queued(target, CLIENTS.a);
    const { json } = await poll(query);
    expect(json.events[0].meta).toMatchObject({ offset: last + 1, redelivered: true });
    expect(await queued(target, CLIENTS.a)).toBe(before);
  });

  it('D8: above the last offset is 409', async () => {
    const { epoch, last } = await ends(target);
    const answer = await poll(`${as(CLIENTS.a)}&epoch=${epoch}&after=${last + 1_000_000}`);
    expect(answer.status).toBe(409);
    expect(answer.json.status).toBe(409);
  });

  it('D8: without after the batch counts as acknowledged at the next poll, not before', async () => {
    await skipToNow(target, CLIENTS.a);
    await notifyMany(target, 2);
    const first = (await poll(as(CLIENTS.a))).json;
    expect(first.count).toBeGreaterThanOrEqual(2);
    expect(await queued(target, CLIENTS.a)).toBe(first.count);
    const second = (await poll(as(CLIENTS.a))).json;
    expect(second.events).toEqual([]);
    expect(await queued(target, CLIENTS.a)).toBe(0);
  });

  it('E5: after without epoch means the epoch of the cursor', async () => {
    await skipToNow(target, CLIENTS.a);
    const { epoch, last } = await ends(target);
    await notify(target);
    const { json } = await poll(`${as(CLIENTS.a)}&after=${last}`);
    expect(json).toMatchObject({ epoch, next_after: (await ends(target)).last });
    expect(json.events[0].meta.offset).toBe(last + 1);
  });

  it('E5: an unknown epoch reads from the first kept event', async () => {
    const { json: c } = await target.http('/desktop/connect', { body: { client_id: CLIENTS.b } });
    const { json } = await poll(`${as(CLIENTS.b)}&epoch=nobody-gave-this&after=5`);
    expect(json.events[0].meta.offset).toBe(c.first_offset);
  });

  it('D8: limit bounds the batch, has_more and next_after lead on', async () => {
    await skipToNow(target, CLIENTS.a);
    const { epoch, last } = await ends(target);
    await notifyMany(target, 3);
    const { json } = await poll(`${as(CLIENTS.a)}&epoch=${epoch}&after=${last}&limit=2`);
    expect(json).toMatchObject({ count: 2, has_more: true, next_after: last + 2, epoch, gap: null });
    const rest = (await poll(`${as(CLIENTS.a)}&epoch=${epoch}&after=${last + 2}`)).json;
    expect(rest.has_more).toBe(false);
    expect(rest.events[0].meta.offset).toBe(last + 3);
  });

  it('D8: wait holds the answer until there is something to return', async () => {
    await skipToNow(target, CLIENTS.a);
    const { epoch, last } = await ends(target);
    const answer = poll(`${as(CLIENTS.a)}&epoch=${epoch}&after=${last}&wait=20`);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const since = Date.now();
    const fits = await notify(target);
    expect((await answer).json.events.find(fits)).toBeDefined();
    expect(Date.now() - since).toBeLessThan(10_000);
  });

  it('D8: wait ends empty when nothing comes', async () => {
    await skipToNow(target, CLIENTS.a);
    const { epoch, last } = await ends(target);
    const since = Date.now();
    const { json } = await poll(`${as(CLIENTS.a)}&epoch=${epoch}&after=${last}&wait=1`);
    expect(json).toMatchObject({ events: [], count: 0, next_after: last, has_more: false });
    expect(Date.now() - since).toBeGreaterThan(900);
    expect(Date.now() - since).toBeLessThan(10_000);
  });

  it('D8: a second poll of the same client ends the waiting one at once', async () => {
    await skipToNow(target, CLIENTS.a);
    const { epoch, last } = await ends(target);
    const query = `${as(CLIENTS.a)}&epoch=${epoch}&after=${last}`;
    const since = Date.now();
    const waiting = poll(`${query}&wait=20`);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await poll(query);
    expect((await waiting).status).toBe(200);
    expect(Date.now() - since).toBeLessThan(10_000);
  });

  it('D8: the client goes while the long poll waits: the same events on the next poll', async () => {
    await skipToNow(target, CLIENTS.a);
    const { epoch, last } = await ends(target);
    const query = `${as(CLIENTS.a)}&epoch=${epoch}&after=${last}`;
    const gone = new AbortController();
    const waiting = poll(`${query}&wait=20`, { signal: gone.signal }).catch(() => null);
    await new Promise((resolve) => setTimeout(resolve, 200));
    gone.abort();
    await waiting;
    const fits = await notify(target);
    expect((await poll(query)).json.events.find(fits)).toBeDefined();
  });

  it.each([
    'limit=0',
    'limit=501',
    'limit=x',
    'wait=26',
    'wait=-1',
    'after=-1',
    'after=x',
    'client_id=no%20way',
  ])('S6: %s is 422 with the place named', async (query) => {
    const answer = await poll(query.startsWith('client_id') ? query : `${as(CLIENTS.a)}&${query}`);
    expect(answer.status).toBe(422);
    expect(answer.json.errors[0]).toEqual({
      path: expect.stringContaining(query.split('=')[0]!),
      message: expect.any(String),
    });
  });
});
