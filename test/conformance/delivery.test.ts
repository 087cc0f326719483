/** Contract sections 6 and 9 over each transport: what is promised whichever way a client receives. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Frame } from '../helpers/ws-client.ts';
import { CLIENTS, ends, notify, notifyMany, queued, skipToNow } from './sources.ts';
import { EXTERNAL, useTarget } from './target.ts';
import { type Receiver, TRANSPORTS } from './transports.ts';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const ISO_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

const target = useTarget();
const offsets = (events: readonly Frame[]): number[] => events.map((e) => e.meta.offset);
const idOf = (e: Frame): string => e.meta.id;

describe.each(TRANSPORTS)('over $name', (transport) => {
  const open: Receiver[] = [];
  const receive = async (clientId: string): Promise<Receiver> => {
    const receiver = await transport.open(target, clientId);
    open.push(receiver);
    return receiver;
  };
  afterEach(async () => {
    for (const receiver of open.splice(0)) await receiver.close().catch(() => {});
  });

  it('D3: what was made while the client was away comes when it returns, without being asked', async () => {
    await skipToNow(target, CLIENTS.a);
    const made = await notifyMany(target, 3);
    const client = await receive(CLIENTS.a);
    for (const fits of made) await client.wait(fits);
  });

  it('D1: an event reaches a client that is there without being asked for', async () => {
    await skipToNow(target, CLIENTS.a);
    const client = await receive(CLIENTS.a);
    const fits = await notify(target);
    await client.wait(fits);
  });

  it('E2: every event has a UUIDv7, an epoch, an offset, a UTC time and the redelivered flag', async () => {
    await skipToNow(target, CLIENTS.a);
    const client = await receive(CLIENTS.a);
    const { meta } = await client.wait(await notify(target));
    const { epoch } = await ends(target);
    expect(meta).toEqual({
      id: expect.stringMatching(UUID_V7),
      epoch,
      offset: expect.any(Number),
      ts: expect.stringMatching(ISO_UTC),
      redelivered: false,
    });
  });

  it('E2: offsets count up by one, without holes, in order of arrival', async () => {
    await skipToNow(target, CLIENTS.a);
    const { last } = await ends(target);
    const client = await receive(CLIENTS.a);
    const made = await notifyMany(target, 10);
    for (const fits of made) await client.wait(fits);
    const seen = offsets(client.events());
    expect(seen).toEqual(seen.map((_, i) => last + 1 + i));
  });

  it('D2: events come in the order they were made, each once', async () => {
    await skipToNow(target, CLIENTS.a);
    const made = await notifyMany(target, 12);
    const client = await receive(CLIENTS.a);
    const found = [];
    for (const fits of made) found.push((await client.wait(fits)).meta.offset);
    expect(found).toEqual([...found].sort((a, b) => a - b));
    await client.settle();
    expect(new Set(offsets(client.events())).size).toBe(client.events().length);
  });

  it('D2: what was not acknowledged comes again, the same in everything but redelivered', async () => {
    await skipToNow(target, CLIENTS.a);
    const fits = await notify(target);
    const client = await receive(CLIENTS.a);
    const first = await client.wait(fits);
    await client.close();
    const again = await (await receive(CLIENTS.a)).wait(fits);
    expect({ ...again, meta: { ...again.meta, redelivered: first.meta.redelivered } }).toEqual(first);
    expect(again.meta.redelivered).toBe(true);
  });

  it('D2: what was acknowledged does not come again', async () => {
    await skipToNow(target, CLIENTS.a);
    const fits = await notify(target);
    const client = await receive(CLIENTS.a);
    const first = await client.wait(fits);
    await client.ack(first);
    await client.close();
    const events = await (await receive(CLIENTS.a)).settle();
    expect(events.map(idOf)).not.toContain(first.meta.id);
  });

  it.runIf(transport.exact)(
    'D2: an acknowledgement covers everything before it and nothing after',
    async () => {
      await skipToNow(target, CLIENTS.a);
      const made = await notifyMany(target, 4);
      const client = await receive(CLIENTS.a);
      const found: Frame[] = [];
      for (const fits of made) found.push(await client.wait(fits));
      await client.ack(found[1]);
      await client.close();
      const back = await receive(CLIENTS.a);
      await back.wait(made[3]!);
      expect(back.events().map(idOf)).toEqual(expect.arrayContaining([found[2], found[3]].map(idOf)));
      expect(back.events().map(idOf)).not.toContain(found[1].meta.id);
      expect(back.events().map(idOf)).not.toContain(found[0].meta.id);
    },
  );

  it('D2: an acknowledgement moves the cursor that status and queues show', async () => {
    await skipToNow(target, CLIENTS.a);
    const fits = await notify(target);
    const client = await receive(CLIENTS.a);
    const event = await client.wait(fits);
    const before = await queued(target, CLIENTS.a);
    expect(before).toBeGreaterThan(0);
    await client.ack(event);
    await expect.poll(() => queued(target, CLIENTS.a)).toBeLessThan(before);
  });

  it('D2: two clients have a cursor each', async () => {
    await skipToNow(target, CLIENTS.a);
    await skipToNow(target, CLIENTS.b);
    const fits = await notify(target);
    const first = await receive(CLIENTS.a);
    await first.ack(await first.wait(fits));
    await first.close();
    await (await receive(CLIENTS.b)).wait(fits);
  });

  it.each(TRANSPORTS)(
    'D9: one cursor serves both: received here, acknowledged here, gone from $name',
    async (other) => {
      await skipToNow(target, CLIENTS.a);
      const one = await notify(target);
      const client = await receive(CLIENTS.a);
      const first = await client.wait(one);
      await client.ack(first);
      await client.close();
      const two = await notify(target);
      const next = await other.open(target, CLIENTS.a);
      open.push(next);
      await next.wait(two);
      expect(next.events().map(idOf)).not.toContain(first.meta.id);
    },
  );

  it('E2: the event is the same object here and in a poll', async () => {
    await skipToNow(target, CLIENTS.a);
    await skipToNow(target, CLIENTS.b);
    const { epoch, last } = await ends(target);
    const client = await receive(CLIENTS.a);
    const here = await client.wait(await notify(target));
    const path = `/desktop/events/poll?client_id=${CLIENTS.b}&epoch=${epoch}&after=${last}`;
    const there = (await target.http(path)).json.events.find((e: Frame) => e.meta.id === here.meta.id);
    expect({ ...there, meta: { ...there.meta, redelivered: false } }).toEqual({
      ...here,
      meta: { ...here.meta, redelivered: false },
    });
  });

  describe.skipIf(EXTERNAL)('over the end of the agent', () => {
    it.each(['SIGKILL', 'SIGTERM'] as const)(
      'D4: after %s every appended event is delivered',
      async (signal) => {
        await skipToNow(target, CLIENTS.a);
        const { epoch } = await ends(target);
        const made = await notifyMany(target, 5);
        await target.restart(signal);
        const client = await receive(CLIENTS.a);
        const found: Frame[] = [];
        for (const fits of made) found.push(await client.wait(fits));
        expect(found.map((e) => e.meta.epoch)).toEqual(Array(5).fill(epoch));
        const seen = offsets(client.events());
        expect(seen).toEqual(seen.map((_, i) => seen[0]! + i));
      },
    );

    it('D5: an acknowledgement that is a second old outlives kill -9 of the agent', async () => {
      await skipToNow(target, CLIENTS.a);
      const client = await receive(CLIENTS.a);
      const event = await client.wait(await notify(target));
      await client.ack(event);
      await client.close().catch(() => {});
      // Its fsync begins within 50 ms (D5); until then a crash may take it back, and events come again.
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      await target.restart('SIGKILL');
      const events = await (await receive(CLIENTS.a)).settle();
      expect(events.map(idOf)).not.toContain(event.meta.id);
    });

    it('E5: offsets go on in the same epoch after kill -9', async () => {
      const before = await ends(target);
      await target.restart('SIGKILL');
      const after = await ends(target);
      expect(after.epoch).toBe(before.epoch);
      expect(after.last).toBeGreaterThanOrEqual(before.last);
    });

    it('D2: what may have been sent before the crash is marked redelivered', async () => {
      await skipToNow(target, CLIENTS.a);
      const client = await receive(CLIENTS.a);
      const fits = await notify(target);
      await client.wait(fits);
      await target.restart('SIGKILL');
      const again = await (await receive(CLIENTS.a)).wait(fits);
      expect(again.meta.redelivered).toBe(true);
    });
  });
});
