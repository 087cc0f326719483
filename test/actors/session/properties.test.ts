/**
 * Whatever happens to a PC, in whatever order: what the minutes must still be. A model beside the behaviour keeps
 * the intervals in which a process ran while the machine was awake; it knows nothing of ticks, days or restarts.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { restore } from '../../../src/actors/session/restore.ts';
import { sessionKey } from '../../../src/actors/session/state.ts';
import type { VirtualMachine } from '../../../src/actors/session/virtual-machine.ts';
import { closes, events, HOUR, KID, MINUTE, machine, order, SECOND } from './playing.ts';

type Action =
  | { readonly do: 'play' | 'stop'; readonly game: 'roblox' | 'minecraft' }
  | { readonly do: 'pass' | 'suspend' | 'step'; readonly ms: number }
  | { readonly do: 'zone'; readonly zone: string }
  | { readonly do: 'restart' | 'rescan' | 'settle' | 'unknown' };

const game = fc.constantFrom('roblox' as const, 'minecraft' as const);
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('play' as const, 'stop' as const), game }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 3 * HOUR }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('suspend' as const),
      ms: fc.integer({ min: 2 * SECOND, max: 12 * HOUR }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('step' as const),
      ms: fc.integer({ min: -48 * HOUR, max: 48 * HOUR }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('zone' as const),
      zone: fc.constantFrom('UTC', 'Asia/Tokyo', 'America/Los_Angeles', 'Europe/Berlin'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('restart' as const, 'rescan' as const, 'settle' as const, 'unknown' as const),
    }),
  },
);

/** Drives a machine and keeps the model: intervals on the awake clock in which any game, or the one, ran. */
class Model {
  readonly pids = new Map<string, { pid: number; since: number }>();
  readonly intervals: { game: string; from: number; to: number }[] = [];

  constructor(readonly pc: VirtualMachine) {}

  apply(act: Action): void {
    const { pc } = this;
    if (act.do === 'play' && !this.pids.has(act.game)) {
      this.pids.set(act.game, { since: pc.awakeMs, pid: pc.start(act.game, KID) });
    } else if (act.do === 'stop') {
      const running = this.pids.get(act.game);
      if (running) pc.stop(running.pid);
      this.forget(act.game);
    } else if (act.do === 'pass') pc.advance(act.ms);
    else if (act.do === 'suspend') pc.suspend(act.ms);
    else if (act.do === 'step') pc.stepWall(act.ms);
    else if (act.do === 'zone') pc.setZone(act.zone);
    else if (act.do === 'rescan') pc.rescan();
    else if (act.do === 'settle') pc.settle();
    else if (act.do === 'unknown') pc.send({ type: 'scan.unknown' });
    else if (act.do === 'restart') {
      pc.agentDown();
      pc.agentUp();
    }
  }

  forget(name: string): void {
    const running = this.pids.get(name);
    if (running) this.intervals.push({ game: name, from: running.since, to: this.pc.awakeMs });
    this.pids.delete(name);
  }

  /** The length of the union, ms; of one game or of all. */
  playedMs(name?: string): number {
    for (const open of [...this.pids.keys()]) {
      const running = this.pids.get(open);
      if (running) this.intervals.push({ game: open, from: running.since, to: this.pc.awakeMs });
    }
    let sum = 0;
    let end = Number.NEGATIVE_INFINITY;
    for (const { from, to } of this.intervals
      .filter((i) => !name || i.game === name)
      .sort((a, b) => a.from - b.from)) {
      sum += Math.max(0, to - Math.max(from, end));
      end = Math.max(end, to);
    }
    return sum;
  }
}

function usage(pc: VirtualMachine): Map<string, number> {
  return new Map(pc.usage().map((row) => [`${row.day} ${row.game}`, row.usedMs]));
}

const total = (rows: Map<string, number>, name: string) =>
  [...rows].filter(([key]) => key.split(' ')[1] === name).reduce((sum, [, ms]) => sum + ms, 0);

const RUNS = { numRuns: 1_000 };
/** A thousand runs are seconds on an idle machine; on a busy one they may take their time, ms. */
const TIMEOUT = { timeout: 180_000 };

describe('properties', TIMEOUT, () => {
  it('charged minutes are the union of the intervals played, whatever the order; the sum over days is the whole', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 25 }), (actions) => {
        const pc = machine({ daily_limit_minutes: null });
        const model = new Model(pc);
        for (const act of actions) model.apply(act);
        pc.settle();
        const rows = usage(pc);
        expect(total(rows, '')).toBeCloseTo(model.playedMs(), 0);
        expect(total(rows, 'roblox')).toBeCloseTo(model.playedMs('roblox'), 0);
        expect(total(rows, 'minecraft')).toBeCloseTo(model.playedMs('minecraft'), 0);
      }),
      RUNS,
    );
  });

  it('T1: used minutes of a day never shrink', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 25 }), (actions) => {
        const pc = machine({ daily_limit_minutes: 90 });
        const model = new Model(pc);
        let before = new Map<string, number>();
        for (const act of actions) {
          model.apply(act);
          pc.settle();
          const after = usage(pc);
          for (const [key, ms] of before) expect(after.get(key) ?? 0).toBeGreaterThanOrEqual(ms);
          before = after;
        }
      }),
      RUNS,
    );
  });

  it('T1: no budget opens early: in any stretch of elapsed time no more is played than its days allow', () => {
    const limit = 30;
    fc.assert(
      fc.property(fc.array(action, { maxLength: 30 }), (actions) => {
        const pc = machine({ daily_limit_minutes: limit, grace_seconds: 0 });
        const start = pc.reading().elapsedMs;
        const model = new Model(pc);
        for (const act of actions) {
          for (const [name, { pid }] of model.pids) if (!pc.isRunning(pid)) model.pids.delete(name);
          model.apply(act);
        }
        pc.settle();
        const days = 1 + Math.floor((pc.reading().elapsedMs - start) / (20 * HOUR) + 1);
        expect(total(usage(pc), '')).toBeLessThanOrEqual(days * limit * MINUTE + days * 10);
      }),
      RUNS,
    );
  });

  it('T4, T5: remaining never rises, and no warning comes twice, but after a command, a new day or a new window', () => {
    const quiet = action.filter((a) => a.do !== 'step' && a.do !== 'zone');
    const command = fc.constantFrom<(pc: VirtualMachine) => unknown>(
      (pc) => order(pc, 'extend_time', { minutes: 20 }),
      (pc) => order(pc, 'set_time_limit', { minutes: 40 }),
      (pc) => order(pc, 'pause', { minutes: 30 }),
      (pc) => order(pc, 'resume', {}),
    );
    const acts = fc.array(fc.oneof({ weight: 6, arbitrary: quiet }, { weight: 1, arbitrary: command }), {
      maxLength: 18,
    });
    const windows = [
      [7, 12],
      [15, 20],
    ] as const;
    fc.assert(
      fc.property(acts, (given) => {
        const pc = machine({
          daily_limit_minutes: 100,
          weekly_limit_minutes: 250,
          allowed: { default: windows.map(([from, to]) => `${String(from).padStart(2, '0')}:00-${to}:00`) },
          auto_close: false,
        });
        const model = new Model(pc);
        let [left, when, commands] = [Number.POSITIVE_INFINITY, '', 0];
        const windowAt = (ms: number) => {
          const hour = (ms % (24 * HOUR)) / HOUR;
          return windows.findIndex(([from, to]) => hour >= from && hour < to);
        };
        const warned = new Set<string>();
        let read = 0;
        for (const act of given) {
          const commanded = typeof act === 'function';
          if (commanded) act(pc);
          else model.apply(act);
          if (commanded) commands += 1;
          const fresh = events(pc).slice(read);
          read += fresh.length;
          for (const e of fresh) {
            if (e.type !== 'session_event' || e.event_type !== 'time_limit_warning') continue;
            const { why, warning_minutes } = e.data.session_data;
            const at = Date.parse(why?.clock ?? '');
            const key = `${commands} ${why?.clock?.slice(0, 10)} ${windowAt(at)} ${warning_minutes}`;
            expect(warned).not.toContain(key);
            warned.add(key);
          }
          const { today, children } = pc.settle();
          const { remaining_minutes, limited_by } = children[KID] ?? {};
          // A pause that is over gives back what it took.
          const paused = limited_by === 'pause' ? ' paused' : '';
          const now = `${today} ${windowAt(pc.state.nowMs)}${paused}`;
          if (now === when && !commanded) expect(remaining_minutes).toBeLessThanOrEqual(left);
          [left, when] = [remaining_minutes ?? Number.POSITIVE_INFINITY, now];
        }
      }),
      RUNS,
    );
  });

  it('T4: warnings at most once each between two extensions', () => {
    const step = fc.record({
      playMs: fc.integer({ min: SECOND, max: 20 * MINUTE }),
      extend: fc.option(fc.integer({ min: 1, max: 30 }), { freq: 4 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const pc = machine({ daily_limit_minutes: 30 });
        let seen = new Set<number>();
        let read = 0;
        for (const { playMs, extend } of steps) {
          const pid = pc.start('roblox', KID);
          pc.advance(playMs);
          pc.stop(pid);
          const fresh = events(pc).slice(read);
          read += fresh.length;
          for (const e of fresh) {
            if (e.type !== 'session_event' || e.event_type !== 'time_limit_warning') continue;
            const warning = e.data.session_data.warning_minutes ?? 0;
            expect(seen.has(warning)).toBe(false);
            seen.add(warning);
          }
          if (extend === null) continue;
          order(pc, 'extend_time', { minutes: extend });
          seen = new Set();
        }
      }),
      RUNS,
    );
  });

  it('T6: the close is never ordered later than limit + grace', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 * MINUTE }),
        fc.integer({ min: 0, max: 60 }),
        fc.array(fc.constantFrom('restart' as const, 'rescan' as const, 'settle' as const), { maxLength: 5 }),
        (limitMs, grace, disturbances) => {
          const pc = machine({ daily_limit_minutes: limitMs / MINUTE, grace_seconds: grace });
          const from = pc.awakeMs;
          const pid = pc.start('roblox', KID);
          const slice = Math.ceil((limitMs + grace * SECOND) / (disturbances.length + 1));
          const model = new Model(pc);
          for (const disturbance of disturbances) {
            pc.advance(slice);
            model.apply({ do: disturbance });
          }
          pc.advance(Math.max(0, from + limitMs + grace * SECOND - pc.awakeMs) + 10);
          expect(closes(pc)).toHaveLength(1);
          expect(pc.isRunning(pid)).toBe(false);
        },
      ),
      RUNS,
    );
  });

  it('the state that comes in is never changed by a step', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 10 }), (actions) => {
        const pc = machine({ daily_limit_minutes: 60 });
        const model = new Model(pc);
        for (const act of actions) model.apply(act);
        const before = structuredClone(pc.state);
        const frozen = pc.state;
        pc.advance(MINUTE);
        pc.start('roblox', KID);
        expect(frozen).toEqual(before);
      }),
      { numRuns: 200 },
    );
  });

  it('T7: what was written is whole, and a fresh actor takes all of it over', () => {
    const more = fc.oneof(
      { weight: 8, arbitrary: action },
      {
        weight: 2,
        arbitrary: fc.constantFrom<(pc: VirtualMachine) => unknown>(
          (pc) => order(pc, 'extend_time', { minutes: 20 }),
          (pc) => order(pc, 'set_time_limit', { minutes: 30, game: 'roblox' }),
          (pc) => order(pc, 'pause', { minutes: 30 }),
          (pc) => order(pc, 'resume', {}),
          (pc) => pc.reboot(HOUR),
        ),
      },
    );
    fc.assert(
      fc.property(fc.array(more, { maxLength: 25 }), (actions) => {
        const pc = machine({ daily_limit_minutes: 90, allowed: { default: ['08:00-22:00'] } });
        const model = new Model(pc);
        for (const act of actions) {
          if (typeof act === 'function') act(pc);
          else model.apply(act);
          pc.settle();
          const ledger = pc.ledger();
          const fresh = restore({ config: pc.state.config, ledger }, pc.reading());
          expect(fresh.useless).toEqual([]);
          const { clock, reading, nowMs } = fresh;
          expect({ clock, reading, nowMs }).toEqual(ledger.state.clock);
          expect(fresh.children.get(KID)?.record).toEqual(ledger.state[`child ${KID}`]);
          for (const session of fresh.sessions.values()) {
            const { members, kept, ...saved } = session;
            expect(saved).toEqual(ledger.state[`session ${session.id}`]);
            const live = pc.state.sessions.get(sessionKey(session.child, session.game));
            expect(kept).toEqual(live?.members);
            // A close that was ordered is due again at once.
            expect(members.map((m, i) => ({ ...m, order: kept[i]?.order ?? null }))).toEqual(kept);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
