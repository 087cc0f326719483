/** What the agent may cost: when a limit counts as passed, what follows, and when it is over. */
import { describe, expect, test } from 'vitest';
import { initialLoad, LOAD_LIMITS, type LoadAction, loadReasons, stepLoad } from '../../src/app/load-rule.ts';
import { watchLoad } from '../../src/app/load-watch.ts';
import { FakeClock } from '../helpers/fake-clock.ts';

const EVERY_MS = 5_000;

/** Samples five seconds apart: what was done after each. */
function run(samples: readonly { readonly mb?: number; readonly cpu?: number }[]) {
  let state = initialLoad(LOAD_LIMITS);
  const done: LoadAction[][] = [];
  const said: string[][] = [];
  for (const [i, { mb = 90, cpu = 0 }] of samples.entries()) {
    const load = { rssBytes: mb * 2 ** 20, cpuPercent: cpu };
    const [next, actions] = stepLoad(state, LOAD_LIMITS, load, i * EVERY_MS);
    state = next;
    done.push([...actions]);
    said.push(loadReasons(state, LOAD_LIMITS));
  }
  return { done, said };
}

const times = <T>(count: number, sample: T): T[] => Array.from({ length: count }, () => sample);

describe('the rule', () => {
  test.each([
    ['an idle agent is left alone', times(30, { mb: 95 }), []],
    [
      'a spike of ten seconds is no trouble',
      [...times(3, { mb: 450 }), { mb: 95 }, ...times(3, { mb: 450 })],
      [],
    ],
    ['more than 200 MB for 15 s is told', times(4, { mb: 201 }), ['warn']],
    ['more than 300 MB lets go of clients', times(10, { mb: 301 }), ['warn', 'shed']],
    ['more than 400 MB for a minute ends the process', times(13, { mb: 401 }), ['warn', 'shed', 'restart']],
    [
      'a minute with a break in it does not',
      [...times(12, { mb: 401 }), { mb: 399 }, ...times(12, { mb: 401 })],
      ['warn', 'shed'],
    ],
    ['half a core for a minute is told', times(13, { cpu: 60 }), ['warn']],
    ['a whole core for ever ends nothing', times(500, { cpu: 100 }), ['warn', 'shed']],
    ['each is done once', times(500, { mb: 350 }), ['warn', 'shed']],
  ] as const)('%s', (_title, samples, expected) => {
    expect(run(samples).done.flat()).toEqual(expected);
  });

  test('what hovers around a limit is told once, and is over below nine tenths of it', () => {
    const { done, said } = run([
      ...times(4, { mb: 210 }),
      ...times(4, { mb: 190 }),
      ...times(4, { mb: 210 }),
      { mb: 179 },
    ]);
    expect(done.flat()).toEqual(['warn']);
    expect(said.slice(3, 12).every((reasons) => reasons.length === 1)).toBe(true);
    expect(said[12]).toEqual([]);
  });

  test('the reason names the value and the highest limit that is passed', () => {
    const { said } = run(times(13, { mb: 333, cpu: 55 }));
    expect(said.at(-1)).toEqual([
      'The agent uses 333 MB of memory, more than 300 MB.',
      'The agent uses 55 % of a processor core, more than 50 %.',
    ]);
  });
});

test('the watch measures every five seconds until it is stopped, and says why it acts', () => {
  const clock = new FakeClock();
  const acted: [LoadAction, string][] = [];
  let measured = 0;
  const watch = watchLoad({
    clock,
    measure() {
      measured += 1;
      return { rssBytes: 301 * 2 ** 20, cpuPercent: 0 };
    },
    act: (action, reason) => acted.push([action, reason]),
  });
  clock.advance(20_000);
  const reason = 'The agent uses 301 MB of memory, more than 300 MB.';
  expect(acted).toEqual([
    ['warn', reason],
    ['shed', reason],
  ]);
  expect(watch.reasons()).toEqual([reason]);
  watch.stop();
  clock.advance(60_000);
  expect(measured).toBe(4);
  expect(clock.pendingTimers).toBe(0);
});
