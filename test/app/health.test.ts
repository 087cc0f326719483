/** Health as it is decided and told: by the age of real work, not by a heartbeat. */
import { describe, expect, test } from 'vitest';
import { type HealthInputs, healthReasons } from '../../src/app/health.ts';
import { monitorHealth } from '../../src/app/health-monitor.ts';
import type { EventBody } from '../../src/protocol/events.ts';
import { FakeClock } from '../helpers/fake-clock.ts';

const ACTOR = { state: 'running', restarts: 0, last_beat_ms_ago: 10, last_work_ms_ago: 900, overdue_ms: 0 };
const STORE = {
  ok: true,
  unsynced: 0,
  waiting: 0,
  lastSyncMonotonicMs: 0,
  unsyncedSinceMonotonicMs: null,
  reason: null,
};
const WELL: HealthInputs = {
  actors: { session: ACTOR },
  store: STORE,
  detection: null,
  configuration: null,
  load: [],
  nowMs: 100_000,
};

describe('health', () => {
  test.each([
    ['all well', WELL, []],
    [
      'an actor that is not up',
      { ...WELL, actors: { session: { ...ACTOR, state: 'parked' } } },
      ['The session is parked.'],
    ],
    [
      'the limit loop is stopped, the reporter alive: beats count for nothing',
      { ...WELL, actors: { session: { ...ACTOR, last_work_ms_ago: 5_000, overdue_ms: 4_000 } } },
      ['The session has done no work for 5 s.'],
    ],
    ['a tick that is a little late', { ...WELL, actors: { session: { ...ACTOR, overdue_ms: 2_700 } } }, []],
    [
      'C4: a configuration that was refused at a reload',
      { ...WELL, configuration: 'The configuration was refused.' },
      ['The configuration was refused.'],
    ],
    [
      'nothing is due',
      { ...WELL, actors: { executor: { ...ACTOR, overdue_ms: null, last_work_ms_ago: null } } },
      [],
    ],
    [
      'a commit that waits a moment for its fsync',
      { ...WELL, store: { ...STORE, unsynced: 1, unsyncedSinceMonotonicMs: 99_000 } },
      [],
    ],
    [
      'an fsync that does not come back',
      { ...WELL, store: { ...STORE, unsynced: 9, unsyncedSinceMonotonicMs: 93_000 } },
      ['The disk has confirmed nothing for 7 s.'],
    ],
    ['a long quiet time is no trouble of the disk', { ...WELL, nowMs: 9_000_000 }, []],
    [
      'a database that does not write',
      { ...WELL, store: { ...STORE, ok: false, reason: 'disk full' } },
      ['disk full'],
    ],
    [
      'detection and load in their own words',
      { ...WELL, detection: 'blind', load: ['heavy'] },
      ['blind', 'heavy'],
    ],
  ] as const)('%s', (_title, inputs, expected) => {
    expect(healthReasons(inputs)).toEqual(expected);
  });
});

describe('the monitor', () => {
  function setUp() {
    const clock = new FakeClock();
    const told: EventBody[] = [];
    const state = { reasons: [] as string[] };
    const stop = monitorHealth(
      clock,
      () => state.reasons,
      (event) => told.push(event),
    );
    return {
      clock,
      state,
      stop,
      types: () => told.map((event) => 'event_type' in event && event.event_type),
    };
  }

  test('trouble is told within two seconds, once, and so is its end', () => {
    const { clock, state, types, stop } = setUp();
    state.reasons = ['The session has done no work for 4 s.'];
    clock.advance(2_000);
    state.reasons = ['The session has done no work for 5 s.'];
    clock.advance(6_000);
    state.reasons = [];
    clock.advance(2_000);
    expect(types()).toEqual(['agent_degraded', 'agent_recovered']);
    stop();
    expect(clock.pendingTimers).toBe(0);
  });

  test('what fails over and over fills no log: it has recovered when all was well for a minute', () => {
    const { clock, state, types } = setUp();
    for (let cycle = 0; cycle < 100; cycle++) {
      state.reasons = ['The scanner is parked.'];
      clock.advance(5_000);
      state.reasons = [];
      clock.advance(3_000);
    }
    expect(types()).toEqual(['agent_degraded', 'agent_recovered', 'agent_degraded']);
    clock.advance(60_000);
    expect(types().at(-1)).toBe('agent_recovered');
  });

  test('a process that was stopped as a whole does not find its parts late when it goes on', () => {
    const { clock, state, types } = setUp();
    clock.sleep(5_000);
    state.reasons = ['The session has done no work for 5 s.'];
    clock.advance(1);
    state.reasons = [];
    clock.advance(3_000);
    expect(types()).toEqual([]);
  });

  test('the limit loop is stopped, the reporter alive: told within 5 s after a tick was due, whenever that was', () => {
    for (let dueInMs = 0; dueInMs < 4_000; dueInMs += 50) {
      const clock = new FakeClock();
      const dueMs = clock.monotonic() + dueInMs;
      const late: number[] = [];
      const actors = () => ({ session: { ...ACTOR, overdue_ms: Math.max(0, clock.monotonic() - dueMs) } });
      const tell = () => late.push(clock.monotonic() - dueMs);
      monitorHealth(clock, () => healthReasons({ ...WELL, actors: actors() }), tell);
      clock.advance(20_000);
      expect(late).toHaveLength(1);
      expect(late[0]).toBeLessThan(5_000);
    }
  });

  test('a main thread that is late at each look puts it off once, not for ever', () => {
    const { clock, state, types } = setUp();
    state.reasons = ['The scanner is parked.'];
    for (let second = 0; second < 3; second += 1) {
      clock.sleep(3_200);
      clock.advance(1);
    }
    expect(types()).toEqual(['agent_degraded']);
  });
});
