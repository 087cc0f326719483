/**
 * Commands, reloads, sleep, boots and an agent that comes and goes, in any order, in zones whose nights are short and long:
 * what remains, what was used and what is warned of is at every moment what minute-model.ts says (T1 to T5, T7).
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualMachine } from '../../../src/actors/session/virtual-machine.ts';
import type { ProfileConfig } from '../../../src/protocol/config.ts';
import { MinuteModel, TICK } from './minute-model.ts';
import { config, HOUR, MINUTE, order, profile, wallMs } from './playing.ts';

const KIDS = ['anna', 'ben'] as const;
const GAMES = ['roblox', 'minecraft', 'chess'] as const;

const kid = fc.constantFrom(...KIDS);
const game = fc.constantFrom(...GAMES);
const limit = fc.constantFrom(null, 0, 0.5, 2.5, 5, 10, 20, 30, 60, 90);
/** No edge lies in an hour that one of the nights skips or repeats: what holds there is in calendar.test.ts. */
const windows = fc.constantFrom<ProfileConfig['allowed'][]>(
  null,
  null,
  { default: ['08:00-12:00', '14:00-20:00'] },
  { default: ['22:00-06:00'], sat: ['09:00-09:10', '09:20-23:00'] },
  { default: ['15:00-19:30'], fri: ['15:00-01:00'], sun: [] },
  { mon: ['00:00-24:00'], default: ['00:00-00:30', '23:30-24:00'] },
);
const kidProfile: fc.Arbitrary<Partial<ProfileConfig>> = fc.record({
  daily_limit_minutes: fc.oneof(limit, fc.record({ default: limit, sat: limit, mon: limit })),
  weekly_limit_minutes: fc.constantFrom(null, null, 40, 100),
  allowed: windows,
  warn_minutes: fc.constantFrom([15, 5, 1], [60, 30, 0.5], [1], []),
  grace_seconds: fc.constantFrom(0, 30, 60),
  auto_close: fc.boolean(),
  games: fc.oneof(fc.constant({}), fc.record({ roblox: fc.record({ daily_limit_minutes: limit }) })),
});
const profiles = fc.tuple(kidProfile, kidProfile);

const optionalGame = fc.option(game, { nil: undefined });
const minutes = fc.constantFrom(0.5, 1, 10, 60);
type Action = (run: Run) => void;
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(kid, game).map(
      ([id, name]): Action =>
        (run) =>
          run.start(id, name),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.nat(5).map(
      (i): Action =>
        (run) =>
          run.stop(i),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(kid, fc.constantFrom(1, 5, 15, 30, 60), optionalGame).map(
      ([id, more, name]): Action =>
        (run) =>
          run.extend(id, more, name),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(kid, fc.constantFrom(0, 5, 30, 60, null, 'config' as const), optionalGame).map(
      ([id, to, name]): Action =>
        (run) =>
          run.setLimit(id, to, name),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(kid, fc.option(minutes, { nil: undefined })).map(
      ([id, length]): Action =>
        (run) =>
          run.pause(id, length),
    ),
  },
  {
    weight: 2,
    arbitrary: kid.map(
      (id): Action =>
        (run) =>
          run.resume(id),
    ),
  },
  {
    weight: 1,
    arbitrary: profiles.map(
      (next): Action =>
        (run) =>
          run.configure(next),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(MINUTE, 5 * MINUTE, HOUR, 8 * HOUR).map(
      (ms): Action =>
        (run) =>
          run.sleep(ms),
    ),
  },
  { weight: 2, arbitrary: fc.constant<Action>((run) => run.upOrDown()) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(MINUTE, HOUR).map(
      (ms): Action =>
        (run) =>
          run.reboot(ms),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Action>((run) => run.pc.rescan()) },
);

interface Playing {
  readonly pid: number;
  readonly kid: string;
  readonly game: string;
  /** The tick from which on it is to be charged. */
  chargedTo: number;
}

/** A machine and the model of it, side by side. */
class Run {
  readonly pc: VirtualMachine;
  readonly model: MinuteModel;
  #playing: Playing[] = [];
  /** Who played when the agent went: until it is back nobody else does, as far as it knows. */
  #believed: ReadonlySet<string> | null = null;
  #tick = 0;
  #warnings: string[] = [];

  constructor(of: readonly Partial<ProfileConfig>[], wall: string, zone: string, startsAt: string) {
    const first = this.#config(of, startsAt);
    const start = wallMs(wall, zone);
    this.model = new MinuteModel(first, start, zone);
    this.pc = new VirtualMachine({
      config: first,
      wallMs: start,
      zone,
      forget: true,
      onOutput: ({ events }) => {
        for (const event of events) {
          if (event.type !== 'session_event' || event.event_type !== 'time_limit_warning') continue;
          const { child_profile, warning_minutes } = event.data.session_data;
          this.#warnings.push(`${child_profile} ${warning_minutes}`);
        }
      },
    });
  }

  pass(ticks: number): void {
    for (let i = 0; i < ticks; i++) {
      const atMs = this.model.nowMs;
      this.pc.advance(TICK);
      if (this.pc.up) this.#charge(this.#tick, atMs);
      this.#tick += 1;
      this.#later(atMs + TICK);
      this.#compareWarnings();
    }
  }

  start(id: string, name: string): void {
    const pid = this.pc.start(name, id);
    this.#playing.push({ pid, kid: id, game: name, chargedTo: this.#tick });
  }

  stop(i: number): void {
    const [gone] = this.#playing.splice(i % Math.max(1, this.#playing.length), 1);
    if (gone) this.pc.stop(gone.pid);
  }

  extend(id: string, more: number, name: string | undefined): void {
    if (!this.pc.up) return;
    order(this.pc, 'extend_time', { minutes: more, ...(name && { game: name }) }, id);
    this.model.extend(id, more, name);
  }

  setLimit(id: string, to: number | null | 'config', name: string | undefined): void {
    if (!this.pc.up) return;
    order(this.pc, 'set_time_limit', { minutes: to, ...(name && { game: name }) }, id);
    this.model.setLimit(id, to, name);
  }

  pause(id: string, length: number | undefined): void {
    if (!this.pc.up) return;
    order(this.pc, 'pause', length === undefined ? {} : { minutes: length }, id);
    this.model.pause(id, length);
  }

  resume(id: string): void {
    if (!this.pc.up) return;
    order(this.pc, 'resume', {}, id);
    this.model.resume(id);
  }

  configure(of: readonly Partial<ProfileConfig>[]): void {
    if (!this.pc.up) return;
    this.model.config = this.#config(of, this.model.config.day.starts_at);
    this.pc.configure(this.model.config);
  }

  sleep(ms: number): void {
    this.#skip(ms);
    this.pc.suspend(ms);
  }

  upOrDown(): void {
    if (this.pc.up) {
      this.#believed = new Set(this.#playing.map((p) => p.kid));
      this.pc.agentDown();
      return;
    }
    // What it finds running is charged for all the time that it was away.
    for (let tick = Math.min(...this.#playing.map((p) => p.chargedTo)); tick < this.#tick; tick++)
      this.#charge(tick, this.model.nowMs - (this.#tick - tick) * TICK);
    this.#believed = null;
    this.pc.agentUp();
  }

  reboot(offMs: number): void {
    if (!this.pc.up) return;
    this.pc.agentDown();
    this.#playing = [];
    this.#skip(offMs);
    this.pc.reboot(offMs);
  }

  /** What must be true whatever happened. */
  check(): void {
    this.#compareWarnings();
    this.pc.advance(0);
    this.#forgetClosed();
    if (!this.pc.up) return;
    const { children } = this.pc.settle();
    for (const id of KIDS) {
      const games = new Set(this.#playing.filter((p) => p.kid === id).map((p) => p.game));
      const lefts = [...(games.size > 0 ? games : [null])].map(
        (name) => this.model.bounds(id, name).tightest?.leftMs ?? Number.POSITIVE_INFINITY,
      );
      const used = this.model.child(id).usedOn(this.model.dayAt(), '');
      expect([id, children[id]?.remaining_minutes, children[id]?.used_minutes_today]).toEqual([
        id,
        inMinutes(Math.min(...lefts)),
        inMinutes(used),
      ]);
      expect(children[id]?.playing).toBe(games.size > 0);
    }
  }

  /** Each minute of each day and game, once all has ended. */
  checkUsage(): void {
    if (!this.pc.up) this.upOrDown();
    while (this.#playing.length > 0) this.stop(0);
    this.pc.settle();
    for (const id of KIDS) {
      const rows = this.pc.usage().filter((row) => row.child === id && row.usedMs > 0);
      const used = new Map(rows.map((row) => [`${row.day} ${row.game}`, row.usedMs]));
      expect(used).toEqual(this.model.child(id).used);
    }
  }

  #config([anna, ben]: readonly Partial<ProfileConfig>[], starts_at: string) {
    const each = {
      anna: profile({ ...anna, os_users: ['anna'] }),
      ben: profile({ ...ben, os_users: ['ben'] }),
    };
    return config({}, { games: [...GAMES], profiles: each, day: { starts_at, time_zone: 'system' } });
  }

  /** All that runs and was not yet charged for this tick. */
  #charge(tick: number, atMs: number): void {
    for (const playing of this.#playing) {
      if (playing.chargedTo !== tick) continue;
      this.model.charge(playing.kid, playing.game, tick, atMs);
      playing.chargedTo = tick + 1;
    }
  }

  /** The machine does not run meanwhile. */
  #skip(ms: number): void {
    for (let at = 0; at < ms; at += TICK) this.#later(this.model.nowMs + TICK);
  }

  #later(ms: number): void {
    this.model.passTo(ms, (id) => this.#believed?.has(id) ?? this.#playing.some((p) => p.kid === id));
  }

  #compareWarnings(): void {
    if (!this.pc.up) return;
    const due: string[] = [];
    for (const id of KIDS) {
      this.model.rearm(id);
      for (const name of new Set(this.#playing.filter((p) => p.kid === id).map((p) => p.game))) {
        const warning = this.model.warning(id, name);
        if (warning !== null) due.push(`${id} ${warning}`);
      }
    }
    expect([this.model.nowMs, ...this.#warnings.splice(0).sort()]).toEqual([this.model.nowMs, ...due.sort()]);
    this.#forgetClosed();
  }

  /** A game is closed only while nothing is left for it. */
  #forgetClosed(): void {
    this.#playing = this.#playing.filter((p) => {
      if (this.pc.isRunning(p.pid)) return true;
      expect(this.model.bounds(p.kid, p.game).tightest?.leftMs).toBe(0);
      return false;
    });
  }
}

const inMinutes = (ms: number): number | null =>
  Number.isFinite(ms) ? Math.round((ms / MINUTE) * 1_000) / 1_000 : null;

describe('a model of the minutes', { timeout: 180_000 }, () => {
  it('T1 to T5, T7: whatever happens, what remains, was used and is warned of is as the model says', () => {
    const nights = fc.constantFrom(
      ['2026-03-28', 'Europe/Berlin'],
      ['2026-10-24', 'Europe/Berlin'],
      ['2026-03-07', 'America/New_York'],
      ['2026-10-31', 'America/New_York'],
      ['2026-04-04', 'Australia/Lord_Howe'],
      ['2026-11-28', 'Asia/Kathmandu'],
      ['2026-01-16', 'UTC'],
    );
    const hour = fc.constantFrom('07:30', '13:50', '19:10', '22:40');
    const acts = fc.array(fc.tuple(action, fc.oneof(fc.nat(4), fc.nat(90), fc.nat(240))), {
      minLength: 10,
      maxLength: 40,
    });
    fc.assert(
      fc.property(
        profiles,
        nights,
        hour,
        fc.constantFrom('00:00', '04:00'),
        acts,
        (of, [date, zone], at, startsAt, given) => {
          const run = new Run(of, `${date}T${at}`, zone ?? 'UTC', startsAt);
          for (const [act, ticks] of given) {
            act(run);
            run.check();
            run.pass(ticks);
            run.check();
          }
          run.checkUsage();
        },
      ),
      { seed: 20_260_116, numRuns: 40 },
    );
  });
});
