/** What happens at a full mailbox, by kind of message. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Mailbox } from '../../src/runtime/mailbox.ts';

interface Message {
  readonly key: string | null;
  readonly n: number;
}
const event = (n: number): Message => ({ key: null, n });
const state = (key: string, n: number): Message => ({ key, n });

/** A mailbox for two, with `sent` messages under way. */
function mailbox(sent: number): Mailbox<Message> {
  const box = new Mailbox<Message>((message) => message.key, 2);
  for (let seq = 1; seq <= sent; seq += 1) box.sent(seq, event(seq));
  return box;
}

describe('admit', () => {
  test.each([
    ['an event while there is room', 1, 0, event(9), 'post'],
    ['a state while there is room', 1, 0, state('a', 9), 'post'],
    ['an event at the limit', 2, 0, event(9), 'overflow'],
    ['a state at the limit', 2, 0, state('a', 9), 'hold'],
    ['an event once one is processed', 2, 1, event(9), 'post'],
    ['a state once all are processed', 2, 2, state('a', 9), 'post'],
  ] as const)('%s (%i sent, %i processed)', (_title, sent, processed, message, admission) => {
    expect(mailbox(sent).admit(message, processed)).toBe(admission);
  });

  test('nothing overtakes what is held: an event behind it overflows', () => {
    const box = mailbox(2);
    box.admit(state('a', 1), 0);
    expect(box.admit(event(9), 2)).toBe('overflow');
  });
});

describe('release', () => {
  test('the newest of each key, in the order of the keys, as far as there is room', () => {
    const box = mailbox(2);
    for (const message of [state('a', 1), state('b', 1), state('c', 1), state('a', 2)]) box.admit(message, 0);
    expect(box.release(0)).toEqual([]);
    expect(box.release(2)).toEqual([state('a', 2), state('b', 1)]);
    expect(box.holding).toBe(true);
    expect(box.release(2)).toEqual([state('c', 1)]);
    expect(box.holding).toBe(false);
  });
});

test('an unprocessed message is found by its number, a processed one is forgotten', () => {
  const box = mailbox(2);
  expect(box.find(1)).toEqual(event(1));
  box.admit(event(3), 1);
  expect(box.find(1)).toBeUndefined();
  expect(box.find(2)).toEqual(event(2));
});

test('whatever is sent and processed: within the limit, no event lost, the last state arrives', () => {
  const message = fc.record({ key: fc.option(fc.constantFrom('a', 'b')), n: fc.nat() });
  const step = fc.oneof(message, fc.constant('process' as const));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const box = new Mailbox<Message>((m) => m.key, 4);
      const posted: Message[] = [];
      const wantedStates = new Map<string, Message>();
      let processed = 0;
      const post = (m: Message) => {
        posted.push(m);
        box.sent(posted.length, m);
        expect(posted.length - processed).toBeLessThanOrEqual(4);
      };
      for (const next of steps) {
        if (next === 'process') {
          if (processed < posted.length) processed += 1;
          continue;
        }
        box.release(processed).forEach(post);
        const admission = box.admit(next, processed);
        if (admission === 'overflow') return;
        if (next.key !== null) wantedStates.set(next.key, next);
        if (admission === 'post') post(next);
      }
      while (box.holding) {
        processed = posted.length;
        box.release(processed).forEach(post);
      }
      for (const [key, wanted] of wantedStates) {
        expect(posted.findLast((m) => m.key === key)).toBe(wanted);
      }
    }),
  );
});
