/** Who hangs, who merely was not looked at in time. */
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/runtime/clock.ts';
import {
  BEAT_MS,
  HANG_AFTER_MS,
  judge,
  look,
  MAIN_STUCK_AFTER_MS,
  mainWatcher,
  startMainBeat,
  startWatch,
  WATCHER_LATE_MS,
} from '../../src/runtime/heartbeat.ts';
import { Vitals } from '../../src/runtime/vitals.ts';

describe('judge', () => {
  test.each([
    ['in time, a beat 1 s ago', 0, 1_000, 'alive'],
    ['in time, a beat 2.5 s ago', 0, 2_500, 'alive'],
    ['in time, no beat for longer', 0, 2_501, 'hung'],
    ['a little late, no beat for longer', WATCHER_LATE_MS, 2_501, 'hung'],
    ['too late itself: the machine slept', WATCHER_LATE_MS + 1, 60_000, 'grace'],
    ['too late itself, but the beat is there', WATCHER_LATE_MS + 1, 100, 'alive'],
  ])('the watcher %s: %s', (_title, lateMs, beatAgoMs, verdict) => {
    const due = 50_000;
    const now = due + lateMs;
    expect(judge(look(startWatch(due), now, HANG_AFTER_MS), now, beatAgoMs, HANG_AFTER_MS)).toBe(verdict);
  });

  test('a fresh grace is as long as the limit, no longer', () => {
    const watch = look(startWatch(1_000), 9_000, HANG_AFTER_MS);
    expect(judge(watch, 9_000 + HANG_AFTER_MS - 1, 20_000, HANG_AFTER_MS)).toBe('grace');
    expect(judge(watch, 9_000 + HANG_AFTER_MS, 20_000, HANG_AFTER_MS)).toBe('hung');
  });
});

describe('the watch over main', () => {
  const START = 100_000;

  /** Looks once a second from START + 1 s on; main beats at these moments. Returns when it is found stuck. */
  function stuckAfterMs(beatsMs: readonly number[], looksMs: readonly number[]): number | null {
    const main = new Vitals();
    main.beat(START);
    const isStuck = mainWatcher(main.buffer, START);
    for (const at of looksMs) {
      for (const beat of beatsMs) if (beat <= at) main.beat(START + beat);
      if (isStuck(START + at)) return at;
    }
    return null;
  }
  const seconds = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, index) => (from + index) * 1_000);

  test('a main that beats is let be', () => {
    expect(stuckAfterMs(seconds(0, 60), seconds(1, 60))).toBeNull();
  });

  test('a main that stops beating is stuck after 10 s', () => {
    expect(stuckAfterMs(seconds(0, 5), seconds(1, 60))).toBe(16_000);
  });

  test('a watcher that slept as well gives it a fresh 10 s', () => {
    const asleep = [...seconds(1, 5), ...seconds(3_605, 3_640)];
    expect(stuckAfterMs(seconds(0, 5), asleep)).toBe(3_615_000);
    expect(stuckAfterMs([...seconds(0, 5), ...seconds(3_606, 3_640)], asleep)).toBeNull();
  });

  test('a main that has said that it beats no more is not judged', () => {
    const beat = startMainBeat(systemClock);
    const main = new Vitals(beat.buffer);
    expect(main.lastBeatMs).toBeGreaterThan(0);
    beat.stop();
    const isStuck = mainWatcher(beat.buffer, START);
    for (const at of seconds(1, 30)) expect(isStuck(START + at)).toBe(false);
  });

  test('the limits leave room for missed beats', () => {
    expect(HANG_AFTER_MS).toBeGreaterThan(2 * BEAT_MS);
    expect(MAIN_STUCK_AFTER_MS).toBe(10_000);
  });
});
