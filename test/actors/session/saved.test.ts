/** A ledger that is damaged, or somebody else's (T7): the actor starts, nothing throws later, and play stays limited. */
import { describe, expect, it } from 'vitest';
import { initialState, step } from '../../../src/actors/session/behavior.ts';
import { restore } from '../../../src/actors/session/restore.ts';
import { statusOf } from '../../../src/actors/session/status.ts';
import type { FromSession, LedgerSnapshot } from '../../../src/protocol/messages.ts';
import { closes, config, HOUR, KID, kid, MINUTE, machine, order, SECOND, sessions } from './playing.ts';

/** A thousand ledgers are seconds on an idle machine; on a busy one they may take their time, ms. */
const TIMEOUT = { timeout: 120_000 };

type Json = Record<string, unknown>;
type Pc = ReturnType<typeof machine>;

const RULES = { daily_limit_minutes: 60, allowed: { default: ['08:00-22:00'] } };

/** Somebody played, a parent gave and took, a close is under way, and a second game waits for its rejoin. */
function lived(): Pc {
  const pc = machine(RULES, { options: { closeTakesMs: HOUR } });
  order(pc, 'extend_time', { minutes: 5 });
  order(pc, 'set_time_limit', { minutes: 20, game: 'roblox' });
  pc.start('roblox', KID);
  pc.advance(10 * MINUTE);
  pc.suspend(MINUTE);
  pc.stop(pc.start('minecraft', KID));
  pc.advance(SECOND);
  order(pc, 'pause', { minutes: 1 });
  pc.advance(30 * SECOND);
  pc.stop(pc.start('minecraft', KID));
  pc.advance(SECOND);
  return pc;
}

const sessionIn = (ledger: LedgerSnapshot, game: string): [key: string, session: Json] => {
  const found = Object.entries(ledger.state).find(([, v]) => (v as Json | null)?.game === game);
  if (!found) throw new Error(`no session of ${game}`);
  return [found[0], found[1] as Json];
};

/** The key of its process. */
const memberIn = (ledger: LedgerSnapshot, sessionKey: string): string => {
  const key = Object.keys(ledger.state).find((k) => k.startsWith(sessionKey.replace('session ', 'member ')));
  if (!key) throw new Error(`no process of ${sessionKey}`);
  return key;
};

const withState = (ledger: LedgerSnapshot, state: Json): LedgerSnapshot => ({
  ...ledger,
  state: { ...ledger.state, ...state },
});

/** What a fresh actor on this ledger makes of the games that run, a day long; throws what it throws. */
function liveOn(pc: Pc, ledger: LedgerSnapshot, processes: Parameters<Pc['send']>[0], rules = RULES) {
  let reading = pc.reading();
  let state = initialState({ config: config(rules), ledger }, reading, {
    bootId: reading.bootId,
    awakeMs: 1e15,
    nowMs: 1e15,
  });
  const outputs: FromSession[] = [];
  const take = (message: Parameters<Pc['send']>[0]) => {
    const [next, effects] = step(state, message, reading);
    state = next;
    for (const effect of effects) if (effect.type === 'session.output') outputs.push(effect);
  };
  const pass = (ms: number) => {
    const { awakeMs, elapsedMs, wallMs } = reading;
    reading = { ...reading, awakeMs: awakeMs + ms, elapsedMs: elapsedMs + ms, wallMs: wallMs + ms };
    take({ type: 'tick' });
  };
  take({ type: 'tick' });
  take(processes);
  pass(SECOND);
  pass(HOUR);
  take({ type: 'command', command: extend });
  for (let i = 0; i < 5; i++) pass(6 * HOUR);
  take({ type: 'processes.snapshot', processes: [] });
  pass(MINUTE);
  take({ type: 'settle' });
  JSON.stringify(statusOf(state));
  return { state, outputs };
}

const extend = {
  command: 'extend_time',
  command_id: 'more',
  child_profile: KID,
  parameters: { minutes: 5 },
} as const;

const running = (pc: Pc): Parameters<Pc['send']>[0] => {
  const processes = [...pc.state.sessions.values()].flatMap((session) =>
    session.members.map(({ pid, startKey, name }) => ({
      process: {
        pid,
        startKey,
        game: session.game,
        name,
        path: null,
        command: null,
        user: KID,
        startedAwakeMs: pc.awakeMs - 10 * MINUTE,
      },
      child: KID,
    })),
  );
  return { type: 'processes.snapshot', processes };
};

/** Every place in a value, as the way to it. */
function placesIn(value: unknown): string[][] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [
    [key],
    ...placesIn(inner).map((way) => [key, ...way]),
  ]);
}

function damaged(value: unknown, way: readonly string[], junk: unknown): unknown {
  const [key, ...rest] = way;
  if (key === undefined) return junk;
  const inner = (value as Json)[key];
  const put = rest.length === 0 ? junk : damaged(inner, rest, junk);
  if (Array.isArray(value)) return value.map((entry, i) => (String(i) === key ? put : entry));
  return { ...(value as Json), [key]: put };
}

describe('a ledger that is not whole (T7)', () => {
  it(
    'whatever stands at any place of any record: it starts, lives a day, and leaves no session behind',
    TIMEOUT,
    () => {
      const pc = lived();
      const ledger = pc.ledger();
      const now = running(pc);
      // The two lists themselves are the store's word.
      const places = placesIn(ledger).filter((way) => way.length > 1);
      expect(places.length).toBeGreaterThan(120);
      for (const way of places)
        for (const junk of [null, Number.NaN, -1, 1e15, 1e300, 'x', [null], {}]) {
          const broken = damaged(ledger, way, junk) as LedgerSnapshot;
          const where = `${way.join('.')} = ${JSON.stringify(junk)}`;
          try {
            const { state, outputs } = liveOn(pc, broken, now);
            expect(state.awaitingSnapshot).toBe(false);
            expect([...state.sessions.keys()]).toEqual([]);
            const kept: Json = { ...broken.state };
            for (const output of outputs) Object.assign(kept, output.ledger.state);
            const left = Object.entries(kept).filter(
              ([key, v]) => /^(session|member) /.test(key) && v !== null,
            );
            expect(left).toEqual([]);
          } catch (error) {
            throw new Error(where, { cause: error });
          }
        }
    },
  );

  it('the records that made it throw each time', () => {
    const pc = lived();
    const ledger = pc.ledger();
    const [key, session] = sessionIn(ledger, 'roblox');
    const [otherKey, other] = sessionIn(ledger, 'minecraft');
    const { byDay: _, ...withoutDays } = session;
    const { child: __, game: ___, ...nobodys } = session;
    const child = ledger.state[`child ${KID}`] as Json;
    const clock = ledger.state.clock as { clock: Json };
    const { rules: ____, zone: _____, ...withoutRules } = clock.clock;
    for (const state of [
      { [memberIn(ledger, key)]: null },
      { [key]: withoutDays },
      { [key]: { ...session, startMs: Number.NaN } },
      { [key]: nobodys },
      { [otherKey]: { ...other, gone: {} } },
      { [`child ${KID}`]: { ...child, limits: null } },
      { [`child ${KID}`]: { ...child, extra: { day: '2026-01-15', windowUntilMs: null } } },
      { [`child ${KID}`]: { ...child, covered: { roblox: [null] } } },
      { clock: { ...clock, clock: withoutRules } },
      { clock: { ...clock, clock: { ...clock.clock, zone: 'Mars/Olympus' } } },
      { clock: { ...clock, clock: { ...clock.clock, day: { day: '2026-01-15', endMs: 1 } } } },
    ])
      expect(() => liveOn(pc, withState(ledger, state), running(pc)), JSON.stringify(state)).not.toThrow();
  });

  it.each([
    ['it has no process', (ledger: LedgerSnapshot, key: string) => ({ [memberIn(ledger, key)]: null })],
    ['its process is not whole', (ledger: LedgerSnapshot, key: string) => ({ [memberIn(ledger, key)]: [7] })],
    ['its figures do not hold', (_: LedgerSnapshot, key: string) => ({ [key]: null })],
  ])(
    'a session that is not whole goes from the ledger; what it played is a new one, and charged once: %s',
    (_, broken) => {
      const pc = machine(RULES);
      const pid = pc.start('roblox', KID);
      pc.advance(10 * MINUTE);
      const ledger = pc.ledger();
      const [key] = sessionIn(ledger, 'roblox');
      const damage = withState(ledger, broken(ledger, key));
      const state = initialState({ config: config(RULES), ledger: damage }, pc.reading());
      const [, effects] = step(state, { type: 'tick' }, pc.reading());
      expect(effects).toMatchObject([{ ledger: { state: { [key]: null, [memberIn(ledger, key)]: null } } }]);
      pc.state = state;
      pc.rescan();
      pc.advance(10 * MINUTE);
      expect(kid(pc)).toMatchObject({ playing: true, used_minutes_today: 20 });
      pc.advance(40 * MINUTE + 30 * SECOND);
      expect(closes(pc).map((c) => c.targets[0]?.pid)).toEqual([pid]);
      expect(sessions(pc, 'session_started')).toHaveLength(2);
    },
  );

  it('one bad field of a child loses neither the limits nor the pause of a parent', () => {
    const pc = machine();
    order(pc, 'set_time_limit', { minutes: 20 });
    order(pc, 'pause', {});
    const ledger = pc.ledger();
    const child = ledger.state[`child ${KID}`] as Json;
    for (const field of ['extra', 'given', 'covered', 'told', 'relaunches', 'starts']) {
      const broken = withState(ledger, { [`child ${KID}`]: { ...child, [field]: [7] } });
      const fresh = restore({ config: config(), ledger: broken }, pc.reading());
      expect(fresh.children.get(KID)?.record).toMatchObject({
        limits: { '': 20 },
        pause: { untilMs: null },
      });
    }
  });

  it('no figure reaches beyond its time: play that is yet to come is charged, and a close comes', () => {
    const pc = machine({ daily_limit_minutes: 20 });
    const pid = pc.start('roblox', KID);
    pc.advance(20 * MINUTE + SECOND);
    const ledger = pc.ledger();
    const [key, session] = sessionIn(ledger, 'roblox');
    const child = ledger.state[`child ${KID}`] as Json;
    pc.state = initialState(
      {
        config: config({ daily_limit_minutes: 20 }),
        ledger: withState(ledger, {
          [key]: { ...session, chargedToAwakeMs: 1e15, up: { by: 'day', closeAwakeMs: 1e15 } },
          [`child ${KID}`]: {
            ...child,
            covered: { '': [[0, 1e15]], roblox: [[0, 1e15]] },
            told: { 'up day': 1e15 },
          },
        }),
      },
      pc.reading(),
    );
    pc.send({ type: 'tick' });
    pc.rescan();
    pc.advance(30 * SECOND);
    expect(pc.isRunning(pid)).toBe(false);
    expect(kid(pc).used_minutes_today).toBeCloseTo(20.5, 1);
  });

  it('a proven moment of the future proves nothing beyond now', () => {
    const pc = machine();
    pc.start('roblox', KID);
    pc.advance(10 * MINUTE);
    const init = { config: config(), ledger: pc.ledger() };
    const usedAfter = (now: ReturnType<Pc['reading']>, nowMs: number) => {
      const state = initialState(init, now, { bootId: 'boot-1', awakeMs: 1e15, nowMs });
      const [told] = step(state, { type: 'tick' }, now);
      const [after] = step(told, { type: 'processes.snapshot', processes: [] }, now);
      return after.children.get(KID)?.today.usedMs.roblox;
    };
    const now = { ...pc.reading(), awakeMs: pc.awakeMs + 20 * SECOND, elapsedMs: pc.awakeMs + 20 * SECOND };
    expect(usedAfter(now, pc.wallMs)).toBe(10 * MINUTE + 20 * SECOND);
    // Of a boot that is over: what passed on the wall, or what can stand between two writings.
    const booted = { ...now, bootId: 'boot-2', wallMs: pc.wallMs + MINUTE };
    expect(usedAfter(booted, pc.wallMs)).toBe(11 * MINUTE);
    expect(usedAfter({ ...booted, wallMs: 0 }, pc.wallMs)).toBe(10 * MINUTE + 30 * SECOND);
    expect(usedAfter(now, 1e15)).toBe(10 * MINUTE);
  });
});
