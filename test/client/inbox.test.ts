/** What came before is dropped; what is not acknowledged is bounded; a told gap needs no acknowledgement. */
import { describe, expect, it } from 'vitest';
import { type Arrival, INBOX_LIMIT, Inbox } from '../../src/client/inbox.ts';
import { Marks } from '../../src/client/marks.ts';
import type { DeliveredEvent } from '../../src/protocol/events.ts';

const event = (offset: number, epoch = 'e'): Arrival => ({
  kind: 'event',
  event: {
    type: 'notification',
    data: { title: '', message: '', type: 'message' },
    meta: { id: `${epoch}${offset}`, epoch, offset, ts: '', redelivered: false },
  } satisfies DeliveredEvent,
});
const gap = { from: { epoch: 'e', offset: 1 }, to: { epoch: 'f', offset: 0 }, lost: null, reason: 'damage' };

describe('the inbox', () => {
  it('D2: drops by (epoch, offset) what came before', () => {
    const inbox = new Inbox([{ epoch: 'e', offset: 3 }]);
    expect(inbox.offer(event(3))).toBe('duplicate');
    expect(inbox.offer(event(4))).toBe('taken');
    expect(inbox.offer(event(4))).toBe('duplicate');
    expect(inbox.offer(event(1, 'f'))).toBe('taken');
    expect(inbox.offer(event(2))).toBe('duplicate');
  });

  it('refuses beyond its limit without remembering what it refused', () => {
    const inbox = new Inbox([]);
    for (let i = 1; i <= INBOX_LIMIT; i++) expect(inbox.offer(event(i))).toBe('taken');
    expect(inbox.offer(event(INBOX_LIMIT + 1))).toBe('full');
    inbox.acknowledge({ epoch: 'e', offset: 10 });
    expect(inbox.room).toBe(10);
    expect(inbox.offer(event(INBOX_LIMIT + 1))).toBe('taken');
  });

  it('D7: a gap is told in its place and moves the position once nothing before it is outstanding', async () => {
    const inbox = new Inbox([]);
    inbox.offer(event(1));
    inbox.offer({ kind: 'gap', gap });
    inbox.offer(event(1, 'f'));
    expect(await inbox.next()).toMatchObject({ kind: 'event' });
    expect(await inbox.next()).toEqual({ kind: 'gap', gap });
    expect(inbox.told(gap)).toEqual([]);
    expect(inbox.acknowledge({ epoch: 'e', offset: 1 })).toEqual([{ epoch: 'e', offset: 1 }, gap.to]);
    expect(inbox.unacknowledged).toBe(1);
  });

  it('D7: a gap that stands first moves the position when it was told', async () => {
    const inbox = new Inbox([{ epoch: 'e', offset: 1 }]);
    inbox.offer({ kind: 'gap', gap });
    await inbox.next();
    expect(inbox.told(gap)).toEqual([gap.to]);
    expect(inbox.offer({ kind: 'gap', gap })).toBe('duplicate');
  });

  it('D7: a gap that the program could not take is handed out again, before all else', async () => {
    const inbox = new Inbox([{ epoch: 'e', offset: 1 }]);
    inbox.offer({ kind: 'gap', gap });
    inbox.offer(event(1, 'f'));
    const item = await inbox.next();
    if (item) inbox.putBack(item);
    expect(await inbox.next()).toBe(item);
    expect(await inbox.next()).toEqual(event(1, 'f'));
  });

  it('an acknowledgement covers what came before it in another epoch, once and in the order in which it came', () => {
    const inbox = new Inbox([]);
    inbox.offer(event(7, 'old'));
    inbox.offer(event(1, 'new'));
    const [before, at] = [
      { epoch: 'old', offset: 7 },
      { epoch: 'new', offset: 1 },
    ];
    expect(inbox.acknowledge(at)).toEqual([before, at]);
    expect(inbox.acknowledge(before)).toEqual([]);
  });

  it('after it began anew, what the agent sends is new, and what it sent before may still be acknowledged', async () => {
    const inbox = new Inbox([]);
    inbox.offer(event(5));
    const back = { ...gap, from: { epoch: 'e', offset: 5 }, to: { epoch: 'e', offset: 0 } };
    inbox.beginAnew(back);
    expect(inbox.unacknowledged).toBe(0);
    expect(await inbox.next()).toEqual(event(5));
    expect(await inbox.next()).toEqual({ kind: 'anew', gap: back });
    expect(inbox.received({ epoch: 'e', offset: 5 })).toBe(true);
    expect(inbox.acknowledge({ epoch: 'e', offset: 5 })).toEqual([]);
    expect(inbox.offer(event(3))).toBe('taken');
  });

  it('hands out what is left after a close, then ends', async () => {
    const inbox = new Inbox([]);
    inbox.offer(event(1));
    inbox.close();
    expect(await inbox.next()).not.toBeNull();
    expect(await inbox.next()).toBeNull();
  });
});

describe('marks', () => {
  it('never go back, neither an offset nor to an older epoch', () => {
    const marks = new Marks([{ epoch: 'a', offset: 5 }]);
    marks.raise({ epoch: 'b', offset: 1 });
    marks.raise({ epoch: 'a', offset: 2 });
    expect(marks.list()).toEqual([
      { epoch: 'a', offset: 5 },
      { epoch: 'b', offset: 1 },
    ]);
  });

  it('follow an agent whose log goes on in an older epoch: what is new there is the newest', () => {
    const marks = new Marks([
      { epoch: 'a', offset: 5 },
      { epoch: 'b', offset: 1 },
    ]);
    marks.raise({ epoch: 'a', offset: 6 });
    expect(marks.latest).toEqual({ epoch: 'a', offset: 6 });
  });

  it('forget the oldest of more than eight epochs', () => {
    const marks = new Marks();
    for (let i = 0; i < 9; i++) marks.raise({ epoch: `e${i}`, offset: 1 });
    expect(marks.list()).toHaveLength(8);
    expect(marks.covers({ epoch: 'e0', offset: 1 })).toBe(false);
  });
});
