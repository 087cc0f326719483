/** The start that Linux tells with sleep in it, on the clock that minutes are counted on (E1, T3). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { latestStart } from '../../../src/actors/scanner/start-time.ts';

const HOUR = 3_600_000;
/** Slept 8 h by the time it was read. */
const last = { awakeMs: HOUR, elapsedMs: 9 * HOUR };

describe('when a process can have started at the latest', () => {
  test('T3 of a PC that slept before the last reading what was slept is taken off', () => {
    expect(latestStart(`${(9 * HOUR + 60_000) / 10}`, HOUR + 90_000, last)).toBe(HOUR + 60_010);
  });

  test('T3 one that is older than the last reading began before it; how much was slept by then nobody knows', () => {
    expect(latestStart(`${(5 * HOUR) / 10}`, 2 * HOUR, last)).toBe(HOUR);
    expect(latestStart(`${60_000 / 10}`, 2 * HOUR, last)).toBe(60_010);
  });

  test('E1 without sleep it is the tick, read or not', () => {
    for (const read of [null, { awakeMs: HOUR, elapsedMs: HOUR - 7 }])
      expect(latestStart(`${(HOUR + 60_000) / 10}`, 2 * HOUR, read)).toBe(HOUR + 60_010);
  });

  test('T3 whenever the PC slept it is never before the start, and is the start when it has not slept since the reading', () => {
    const stretch = fc.record({
      awake: fc.nat(1_000_000),
      asleep: fc.option(fc.nat(1_000_000), { freq: 2 }),
    });
    const run = (stretches: readonly { awake: number; asleep: number | null }[]) =>
      stretches.reduce(
        (at, { awake, asleep }) => ({
          awakeMs: at.awakeMs + awake,
          elapsedMs: at.elapsedMs + awake + (asleep ?? 0),
        }),
        { awakeMs: 0, elapsedMs: 0 },
      );
    fc.assert(
      fc.property(fc.array(stretch, { maxLength: 8 }), fc.nat(8), fc.nat(8), (stretches, i, j) => {
        const [read, start, now] = [run(stretches.slice(0, i)), run(stretches.slice(0, j)), run(stretches)];
        const at = latestStart(`${Math.floor(start.elapsedMs / 10)}`, now.awakeMs, read);
        expect(at).toBeGreaterThanOrEqual(start.awakeMs);
        expect(at).toBeLessThanOrEqual(now.awakeMs);
        const sleptSince = start.elapsedMs - read.elapsedMs > start.awakeMs - read.awakeMs;
        if (j >= i && !sleptSince) expect(at).toBeLessThanOrEqual(start.awakeMs + 10);
      }),
      { seed: 1, numRuns: 1_000 },
    );
  });
});
