/** H3: confirming sessions, and asking again with doubling patience. */
import { describe, expect, test } from 'vitest';
import { askDelayMs, createSyncDesk } from '../../src/app/sync-desk.ts';
import type { SessionData } from '../../src/protocol/events.ts';
import type { Store, SyncState } from '../../src/protocol/ports.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { MemoryLog } from '../helpers/memory-store.ts';

const session = (session_id: string, is_active: boolean) => ({ session_id, is_active }) as SessionData;

function setUp() {
  const clock = new FakeClock();
  const log = new MemoryLog();
  const states = new Map<string, SyncState>();
  const sessions = new Map([session('kim_1', false), session('kim_2', true)].map((s) => [s.session_id, s]));
  const store = {
    log,
    ledger: { session: (id: string) => sessions.get(id) ?? null },
    sync: {
      state: (id: string) => states.get(id) ?? null,
      put: (state: SyncState) => void states.set(state.sessionId, state),
      due: () => [...states.values()].filter((s) => s.askAtMs !== null),
    },
    commit: <T>(fn: () => T) => fn(),
  } as unknown as Store;
  const desk = createSyncDesk(store, clock);
  return { clock, log, store, desk, asked: () => log.ends().lastOffset };
}

describe('H3: confirming', () => {
  test('the first success confirms, later ones were already', () => {
    const { desk } = setUp();
    const confirm = () => desk.confirm({ session_id: 'kim_1', success: true });
    expect(confirm()).toEqual({ ok: true, value: { session_id: 'kim_1', confirmed: true, already: false } });
    expect(confirm()).toEqual({ ok: true, value: { session_id: 'kim_1', confirmed: true, already: true } });
  });

  test('a failure after the confirmation changes nothing', () => {
    const { desk, clock, asked } = setUp();
    desk.confirm({ session_id: 'kim_1', success: true });
    const late = desk.confirm({ session_id: 'kim_1', success: false });
    expect(late).toMatchObject({ value: { confirmed: true, already: true } });
    clock.advance(7_200_000);
    expect(asked()).toBe(0);
  });

  test.each([
    ['a running session', 'kim_2', 'session-running'],
    ['an unknown one', 'kim_3', 'session-unknown'],
  ])('%s is a problem', (_title, session_id, slug) => {
    expect(setUp().desk.confirm({ session_id, success: true })).toMatchObject({
      ok: false,
      problem: { slug },
    });
  });
});

describe('H3: asking again', () => {
  test('the wait doubles from 30 s to an hour', () => {
    expect([1, 2, 3, 7, 8, 20].map(askDelayMs)).toEqual([
      30_000, 60_000, 120_000, 1_920_000, 3_600_000, 3_600_000,
    ]);
  });

  test('a failure asks once more after 30 s, and only a further failure asks again', () => {
    const { desk, clock, asked } = setUp();
    desk.confirm({ session_id: 'kim_1', success: false });
    clock.advance(29_999);
    expect(asked()).toBe(0);
    clock.advance(1);
    expect(asked()).toBe(1);
    clock.advance(3_600_000);
    expect(asked()).toBe(1);
    desk.confirm({ session_id: 'kim_1', success: false });
    clock.advance(60_000);
    expect(asked()).toBe(2);
  });

  test('the same failure told again puts the request off no further', () => {
    const { desk, clock, asked } = setUp();
    desk.confirm({ session_id: 'kim_1', success: false });
    clock.advance(20_000);
    const again = desk.confirm({ session_id: 'kim_1', success: false });
    expect(again).toEqual({ ok: true, value: { session_id: 'kim_1', confirmed: false, already: false } });
    clock.advance(10_000);
    expect(asked()).toBe(1);
    desk.confirm({ session_id: 'kim_1', success: false });
    clock.advance(60_000);
    expect(asked()).toBe(2);
  });

  test('a confirmation in between takes the request back', () => {
    const { desk, clock, asked } = setUp();
    desk.confirm({ session_id: 'kim_1', success: false });
    desk.confirm({ session_id: 'kim_1', success: true });
    clock.advance(60_000);
    expect(asked()).toBe(0);
  });

  test('what is due survives a restart of the agent', () => {
    const { desk, store, clock, asked } = setUp();
    desk.confirm({ session_id: 'kim_1', success: false });
    desk.stop();
    clock.advance(20_000);
    createSyncDesk(store, clock);
    clock.advance(10_000);
    expect(asked()).toBe(1);
  });

  test('a stopped desk has no timer left', () => {
    const { desk, clock } = setUp();
    desk.confirm({ session_id: 'kim_1', success: false });
    desk.stop();
    expect(clock.pendingTimers).toBe(0);
  });
});
