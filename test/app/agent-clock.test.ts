/** The clock of the main thread between the start and the session actor's first word. */
import { expect, test } from 'vitest';
import { createAgentClock } from '../../src/app/agent-clock.ts';
import type { MetaStore } from '../../src/protocol/ports.ts';

const DAY = 86_400_000;

function memory(): MetaStore & { writes: number } {
  const values = new Map<string, string>();
  return {
    writes: 0,
    get: (key) => values.get(key) ?? null,
    set(key, value) {
      this.writes += 1;
      values.set(key, value);
    },
  };
}

/** Runs as an agent whose trusted clock is `aheadMs` from the system's; returns what the next start begins with. */
function restarted(aheadMs: number, boots: readonly [string, string]): number {
  const meta = memory();
  const before = createAgentClock();
  before.keepIn(meta, boots[0]);
  before.setBias(before.wall() + aheadMs - before.monotonic());
  const after = createAgentClock();
  after.keepIn(meta, boots[1]);
  return after.wall() - Date.now();
}

test('T1: a clock that was set while the agent was down stamps nothing after its restart', () => {
  expect(Math.abs(restarted(-40 * DAY, ['a', 'a']) + 40 * DAY)).toBeLessThan(100);
  expect(Math.abs(restarted(40 * DAY, ['a', 'a']) - 40 * DAY)).toBeLessThan(100);
});

test('T1: after a boot it begins with the wall clock', () => {
  expect(Math.abs(restarted(40 * DAY, ['a', 'b']))).toBeLessThan(100);
});

test('small corrections are not written', () => {
  const meta = memory();
  const clock = createAgentClock();
  clock.keepIn(meta, 'a');
  const bias = clock.wall() - clock.monotonic();
  for (let i = 0; i < 100; i += 1) clock.setBias(bias + i * 9);
  expect(meta.writes).toBe(1);
});
