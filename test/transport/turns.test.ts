/** Large answers over several turns of the event loop, by hand: neither clock nor loop goes on by itself. */
import { beforeEach, describe, expect, test } from 'vitest';
import { Turns } from '../../src/transport/turns.ts';

let nowMs: number;
let next: (() => void)[];
let done: number[];
let turns: Turns;
beforeEach(() => {
  nowMs = 0;
  next = [];
  done = [];
  turns = new Turns({ now: () => nowMs, nextTurn: (fn) => next.push(fn), afterwards: (fn) => fn() });
});

const away = () => -1;

/** Asks for `count` answers of `ms` each. */
const ask = (count: number, ms: number) =>
  Array.from({ length: count }, (_, n) =>
    turns.run(() => {
      nowMs += ms;
      done.push(n);
      return n;
    }, away),
  );
const turn = () => {
  for (const fn of next.splice(0)) fn();
};

describe('large answers', () => {
  test('one is written at once, and so are as many as a turn holds', () => {
    ask(5, 10);
    expect(done).toHaveLength(5);
  });

  test('of many that are asked for together each turn writes 50 ms, in their order, until none is left', async () => {
    const asked = ask(30, 4);
    const sizes = [done.length];
    for (; next.length > 0; turn()) if (done.length > (sizes.at(-1) ?? 0)) sizes.push(done.length);
    expect(sizes).toEqual([13, 26, 30]);
    expect(await Promise.all(asked)).toEqual(Array.from({ length: 30 }, (_, n) => n));
    expect(done).toEqual(done.toSorted((a, b) => a - b));
  });

  test('whoever comes later goes behind those that wait', () => {
    ask(14, 4);
    void turns.run(() => done.push(99), away);
    turn();
    expect(done.slice(-2)).toEqual([13, 99]);
  });

  test('those that wait can be sent away, and what comes after them finds no line', async () => {
    const asked = ask(20, 4);
    turns.sendAway();
    expect((await Promise.all(asked)).slice(13)).toEqual(Array.from({ length: 7 }, away));
    turn();
    expect(await turns.run(() => 1, away)).toBe(1);
    expect(done).toHaveLength(13);
  });

  test('one that fails fails alone', async () => {
    await expect(
      turns.run(() => {
        throw new Error('no');
      }, away),
    ).rejects.toThrow('no');
    expect(await turns.run(() => 1, away)).toBe(1);
  });
});
