/** The restart rule as tables: policy, window, backoff, crash loop, forgetting. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ExitReason } from '../../src/runtime/actor.ts';
import {
  afterExit,
  afterReady,
  backoffMs,
  CLEAN_HISTORY,
  RESTART_LIMITS,
  type RestartHistory,
  type RestartPolicy,
  type RestartVerdict,
  shouldRestart,
  withinWindow,
} from '../../src/runtime/restart-rule.ts';

const CRASH: ExitReason = { kind: 'crashed', message: 'boom' };
const EXITS: readonly ExitReason[] = [
  { kind: 'stopped' },
  { kind: 'ended', code: 0 },
  { kind: 'ended', code: 1 },
  CRASH,
  { kind: 'out_of_memory', message: 'heap' },
  { kind: 'never_ready', message: 'late' },
  { kind: 'killed', reason: 'hang' },
  { kind: 'abandoned', reason: 'hang' },
];
const NORMAL = [true, true, false, false, false, false, false, false];

describe('shouldRestart', () => {
  const table = (['permanent', 'transient', 'temporary'] as const).flatMap((policy) =>
    EXITS.map((exit, index) => {
      const restart = policy === 'permanent' || (policy === 'transient' && !NORMAL[index]);
      const name = exit.kind === 'ended' ? `ended with ${exit.code}` : exit.kind;
      return [policy, name, restart, exit] as const;
    }),
  );
  test.each(table)('%s, %s: %s', (policy, _name, restart, exit) => {
    expect(shouldRestart(policy, exit)).toBe(restart);
  });
});

describe('withinWindow', () => {
  test.each([
    [[], 100, []],
    [[70], 100, []],
    [[71], 100, [71]],
    [[10, 69, 70, 80, 100], 100, [80, 100]],
  ])('of %j at %i the last 30 are %j', (times, now, seen) => {
    expect(withinWindow(times, now, 30)).toEqual(seen);
  });
});

describe('backoffMs', () => {
  test.each([
    [0, 100],
    [1, 200],
    [2, 400],
    [3, 800],
    [4, 1_600],
    [5, 3_200],
    [6, 6_400],
    [7, 12_800],
    [8, 25_600],
    [9, 30_000],
    [10, 30_000],
    [5_000, 30_000],
  ])('restart %i waits between half of and all of %i ms', (streak, full) => {
    expect(backoffMs(streak, () => 0, RESTART_LIMITS)).toBe(full / 2);
    expect(backoffMs(streak, () => 1, RESTART_LIMITS)).toBe(full);
  });
});

/** Lives a child through `lives`: how long each was up (null: never ready), the restarts at once. */
function live(lives: readonly (number | null)[], policy: RestartPolicy = 'permanent') {
  let now = 1_000_000;
  let history: RestartHistory = CLEAN_HISTORY;
  const verdicts: RestartVerdict[] = [];
  for (const upMs of lives) {
    if (upMs !== null) {
      history = afterReady(history, now);
      now += upMs;
    }
    const exit: ExitReason = upMs === null ? { kind: 'never_ready', message: 'x' } : CRASH;
    const [next, verdict] = afterExit(history, exit, policy, now, () => 1, RESTART_LIMITS);
    history = next;
    verdicts.push(verdict);
  }
  return verdicts.map((v) => (v.kind === 'restart' ? v.delayMs : v.kind));
}

describe('afterExit', () => {
  const HEALTHY = RESTART_LIMITS.healthyAfterMs;
  test.each<[string, (number | null)[], (number | string)[]]>([
    ['the first crash is followed by a restart after 100 ms', [0], [100]],
    ['five restarts in the window are borne', [0, 0, 0, 0, 0], [100, 200, 400, 800, 1_600]],
    [
      'the sixth failure in the window is a crash loop',
      [0, 0, 0, 0, 0, 0],
      [100, 200, 400, 800, 1_600, 'crash_loop'],
    ],
    [
      'a slow crasher never fills the window, and waits longer each time',
      [7_500, 7_500, 7_500, 7_500, 7_500, 7_500, 7_500],
      [100, 200, 400, 800, 1_600, 3_200, 6_400],
    ],
    ['five minutes of health forget the past', [0, 0, 0, HEALTHY, 0], [100, 200, 400, 100, 200]],
    ['a moment less does not', [0, 0, 0, HEALTHY - 1, 0], [100, 200, 400, 800, 1_600]],
    [
      'three starts in a row that never became ready are a crash loop',
      [null, null, null],
      [100, 200, 'crash_loop'],
    ],
    ['becoming ready once starts that count anew', [null, null, 0, null, null], [100, 200, 400, 800, 1_600]],
    [
      'after a crash loop one more failure is a crash loop',
      [null, null, null, 0, 0],
      [100, 200, 'crash_loop', 'crash_loop', 'crash_loop'],
    ],
    ['and one more failed start too', [null, null, null, null], [100, 200, 'crash_loop', 'crash_loop']],
    [
      'health after a crash loop ends the probation',
      [null, null, null, HEALTHY, 0],
      [100, 200, 'crash_loop', 100, 200],
    ],
  ])('%s', (_title, lives, verdicts) => {
    expect(live(lives)).toEqual(verdicts);
  });

  test('what is not restarted is left, however often it failed', () => {
    expect(live([0, 0, null, 0, 0, 0, 0], 'temporary')).toEqual(Array(7).fill('leave'));
  });

  test('never more than five restarts within 30 s, whatever the lives', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.nat(20_000)), { maxLength: 60 }), (lives) => {
        let now = 0;
        let history: RestartHistory = CLEAN_HISTORY;
        let restarts: number[] = [];
        for (const upMs of lives) {
          if (upMs !== null) history = afterReady(history, now);
          now += upMs ?? 10;
          const [next, verdict] = afterExit(history, CRASH, 'permanent', now, Math.random, RESTART_LIMITS);
          history = next;
          if (verdict.kind === 'crash_loop') {
            restarts = [];
            now += RESTART_LIMITS.parkMs;
            continue;
          }
          restarts.push(now);
          expect(restarts.filter((at) => now - at < RESTART_LIMITS.windowMs).length).toBeLessThanOrEqual(5);
        }
      }),
    );
  });
});
