/** T1, C6: clocks, boots and rights on Windows for real, under Wine: what probes/system.probe.ts reads and sets. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BOOTS } from './setup.ts';
import { startWine, type WineProgram } from './wine.ts';

let probe: WineProgram;
beforeAll(() => {
  probe = startWine(['probes/system.probe.js']);
});
afterAll(() => probe.dispose());

/** Both are coarse on Windows. */
const COARSE_MS = 100;

test('awake and elapsed time run on together while nothing sleeps, and never back', async () => {
  const { readings, microsecondsARead } = await probe.facts('clocks');
  console.log(`windows: the clocks are read in ${microsecondsARead.toFixed(1)} µs`);
  const slept = readings.map((r: { elapsedMs: number; awakeMs: number }) => r.elapsedMs - r.awakeMs);
  expect(Math.max(...slept) - Math.min(...slept)).toBeLessThan(COARSE_MS);
  for (let n = 1; n < readings.length; n++) {
    expect(readings[n].awakeMs).toBeGreaterThan(readings[n - 1].awakeMs);
    expect(readings[n].wallMs).toBeGreaterThanOrEqual(readings[n - 1].wallMs);
  }
  expect(Math.abs(readings.at(-1).wallMs - Date.now())).toBeLessThan(60_000);
});

test('the boot is the one that Windows counts, and the zone is one that can be used', async () => {
  const { readings } = await probe.facts('clocks');
  expect(readings[0].bootId).toBe(`boot-${BOOTS}`);
  expect(() => new Intl.DateTimeFormat('en', { timeZone: readings[0].zone })).not.toThrow();
});

test('main and the store know the boot too', async () => {
  expect((await probe.facts('boot')).boot).toMatch(/^boot-\d+$/);
});

test('C6: rights are set and read back: after it nobody else may do what is ours alone', async () => {
  const { strangers } = await probe.facts('rights');
  const everybody = 'S-1-1-0';
  expect(strangers['private, as it was made']).toEqual([everybody]);
  // Wine keeps rights as a Unix mode and has no place for the group Users: that it may read is not seen here.
  expect(strangers).toMatchObject({ directory: [], private: [], shared: [], 'private, to read': [] });
  expect((await probe.exited).code).toBe(0);
});
