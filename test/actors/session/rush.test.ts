/** When the session actor's thread goes before ordinary programs (D10: enforcement never waits). */
import { expect, test } from 'vitest';
import { CALM_SECONDS, RUSH, Rush } from '../../../src/actors/session/rush.ts';

const hear = (rush: Rush, count: number) =>
  Array.from({ length: count }, () => rush.heard()).filter(Boolean).length;

test('a rush begins once, with the first message beyond its bound, and not with as many in two seconds', () => {
  const rush = new Rush();
  expect([hear(rush, RUSH), rush.second(), hear(rush, RUSH), rush.second()]).toEqual([0, false, 0, false]);
  expect([hear(rush, RUSH), rush.heard(), hear(rush, RUSH)]).toEqual([0, true, 0]);
});

test('it is over once, after some calm seconds in a row', () => {
  const rush = new Rush();
  hear(rush, RUSH + 1);
  const seconds = (n: number) => Array.from({ length: n }, () => rush.second()).indexOf(true);
  // The first second is that of the rush itself.
  expect(seconds(CALM_SECONDS)).toBe(-1);
  expect(hear(rush, RUSH + 1)).toBe(0);
  expect(seconds(2 * CALM_SECONDS)).toBe(CALM_SECONDS);
  expect(hear(rush, RUSH + 1)).toBe(1);
});
