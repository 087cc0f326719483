/** The latest trusted time ever seen: what an expiry is held against when a clock goes back. */
import { expect, test } from 'vitest';
import { keepHighestTime } from '../../src/app/highest-time.ts';
import type { ParentKey } from '../../src/protocol/config.ts';
import type { MetaStore } from '../../src/protocol/ports.ts';
import { FakeClock } from '../helpers/fake-clock.ts';

const DAY = 86_400_000;
const key = (x: string): ParentKey => ({ kty: 'OKP', crv: 'Ed25519', x });

function setup(keys: readonly ParentKey[] = [key('mum')]) {
  const values = new Map<string, string>();
  const meta: MetaStore = {
    get: (name) => values.get(name) ?? null,
    set: (name, value) => void values.set(name, value),
  };
  const fake = new FakeClock();
  let setMs = 0;
  const clock = {
    monotonic: () => fake.monotonic(),
    wall: () => fake.wall() + setMs,
    after: (ms: number, fn: () => void) => fake.after(ms, fn),
    advance: (ms: number) => fake.advance(ms),
    step(ms: number) {
      setMs += ms;
    },
    pending: () => fake.pendingTimers,
  };
  return { values, clock, open: (k = keys) => keepHighestTime(meta, clock, () => k) };
}

test('K5: it is now as long as the clock goes on', () => {
  const { clock, open } = setup();
  const highest = open();
  clock.advance(DAY);
  expect(highest.ms()).toBe(clock.wall());
  highest.stop();
});

test('K5: it stays where it was when the clock goes back, over a restart too', () => {
  const { clock, open } = setup();
  const highest = open();
  // Nobody asks meanwhile.
  clock.advance(DAY);
  const latest = clock.wall();
  clock.step(-3 * DAY);
  expect(highest.ms()).toBe(latest);
  highest.stop();
  const again = open();
  expect(again.ms()).toBe(latest);
  again.stop();
});

test('K5: with other keys it starts anew', () => {
  const { clock, open } = setup();
  open().stop();
  clock.step(-DAY);
  const other = open([key('dad')]);
  expect(other.ms()).toBe(clock.wall());
  other.stop();
});

test('without keys nothing is kept', () => {
  const { clock, values, open } = setup([]);
  const highest = open();
  clock.advance(DAY);
  expect(values.size).toBe(0);
  highest.stop();
  expect(clock.pending()).toBe(0);
});
