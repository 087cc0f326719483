/** One timer for all that looks now and then. */
import { expect, test } from 'vitest';
import { secondHand, untilWholeSecond } from '../../src/runtime/second-hand.ts';
import { FakeClock } from '../helpers/fake-clock.ts';

test('everything hangs on one timer, which goes with the last that hangs on it', () => {
  const clock = new FakeClock();
  const everySecond = secondHand(clock);
  const stops = [everySecond(() => {}), everySecond(() => {}, 5), everySecond(() => {}, 60)];
  expect(clock.pendingTimers).toBe(1);
  clock.advance(10_000);
  expect(clock.pendingTimers).toBe(1);
  for (const stop of stops) stop();
  expect(clock.pendingTimers).toBe(0);
});

test('each is called on its n-th whole second, in the order they came', () => {
  const clock = new FakeClock(1_000_250);
  const calls: string[] = [];
  const everySecond = secondHand(clock);
  everySecond(() => calls.push(`a ${clock.monotonic()}`));
  everySecond(() => calls.push(`b ${clock.monotonic()}`), 2);
  clock.advance(3_750);
  expect(calls).toEqual(['a 1001000', 'a 1002000', 'b 1002000', 'a 1003000', 'a 1004000', 'b 1004000']);
});

test('one that is stopped by another is not called in the same second; one that comes in it waits for the next', () => {
  const clock = new FakeClock(1_000_000);
  const calls: string[] = [];
  const everySecond = secondHand(clock);
  const stopFirst = everySecond(() => {
    calls.push('first');
    stopFirst();
    stopSecond();
    everySecond(() => calls.push('third'));
  });
  const stopSecond = everySecond(() => calls.push('second'));
  clock.advance(1_000);
  expect(calls).toEqual(['first']);
  clock.advance(2_000);
  expect(calls).toEqual(['first', 'third', 'third']);
});

test('after a sleep of the machine it ticks once, not once for each second of it', () => {
  const clock = new FakeClock(1_000_000);
  let calls = 0;
  secondHand(clock)(() => {
    calls += 1;
  });
  clock.sleep(3_600_400);
  clock.advance(1_000);
  expect(calls).toBe(2);
});

test('after a stop of the process what was due meanwhile is called at the first tick, and then in its turn again', () => {
  const clock = new FakeClock(1_000_000);
  const calls: number[] = [];
  secondHand(clock)(() => calls.push(clock.monotonic()), 5);
  clock.advance(1_000);
  clock.sleep(18_300);
  clock.advance(10_000);
  expect(calls).toEqual([1_019_300, 1_024_000, 1_029_000]);
});

test.each([
  [1_000_000, 1_000],
  [1_000_001, 999],
  [1_000_499.5, 501],
  [1_000_501, 1_499],
  [1_000_999.9, 1_001],
])('from %d ms on the whole second that is meant comes after %d ms', (now, ms) => {
  expect(untilWholeSecond(now)).toBe(ms);
});
