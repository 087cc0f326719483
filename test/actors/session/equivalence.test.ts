/**
 * The simulator is the agent: a day in virtual time and the same day through the shell of the thread, with its own
 * timers on a fake clock, tell the same events, down to every figure and moment in them.
 *
 * The shell compares its clocks on whole seconds. So clocks are moved there, some seconds after a full minute when no day or
 * window begins, and what a person does happens at least a second later, on no whole second.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { VirtualMachine } from '../../../src/actors/session/virtual-machine.ts';
import type { SessionCommand } from '../../../src/protocol/messages.ts';
import { config, HOUR, KID, MINUTE, SECOND, short, wallMs } from './playing.ts';
import { type ClockMove, ShellMachine } from './shell-machine.ts';

type Command<N extends SessionCommand['command'] = SessionCommand['command']> = N extends unknown
  ? readonly [N, Extract<SessionCommand, { command: N }>['parameters']]
  : never;

/** One thing that happens, `atMs` after the start. */
type Happening = { readonly atMs: number } & (
  | { readonly play: 'roblox' | 'minecraft'; readonly denies?: boolean }
  | { readonly stop: 'roblox' | 'minecraft' }
  | { readonly lose: 'roblox' | 'minecraft' }
  | { readonly command: Command }
  | { readonly stepMs: number }
  | { readonly zone: string }
  | { readonly suspendMs: number }
  | { readonly agent: 'down' | 'up' | 'rescan' }
);

/** What the two machines have in common. */
interface Machine {
  advance(ms: number, then?: ClockMove): void;
  agentDown(): void;
  agentUp(): void;
  rescan(): void;
  isRunning(pid: number): boolean;
  start(game: string, child: string, more: { obedience?: 'closes' | 'denied' }): number;
  stop(pid: number): void;
  lose(pid: number): void;
  command(command: SessionCommand): unknown;
}

/** The virtual machine looks at its clocks as soon as they were moved. */
class Virtual extends VirtualMachine {
  override advance(ms: number, { suspendMs, stepMs, zone }: ClockMove = {}): void {
    super.advance(ms);
    if (suspendMs) this.suspend(suspendMs);
    if (stepMs) this.stepWall(stepMs);
    if (zone) this.setZone(zone);
  }
}

const FROM = { wallMs: wallMs('2026-01-15T16:00', 'Europe/Berlin'), zone: 'Europe/Berlin' };
const folder = mkdtempSync(join(tmpdir(), 'playwarden-day-'));
afterAll(() => rmSync(folder, { recursive: true }));
/** To 22:00 of the next day. */
const LASTS_MS = 30 * HOUR;
const KID_RULES = {
  daily_limit_minutes: 60,
  weekly_limit_minutes: 150,
  allowed: { default: ['07:00-20:00'], fri: ['06:00-01:00'] },
  games: { minecraft: { daily_limit_minutes: 25 } },
};

function live(pc: Machine, day: readonly Happening[]): void {
  const pids = new Map<string, number>();
  let at = 0;
  for (const [i, happening] of day.entries()) {
    const moves = 'suspendMs' in happening || 'stepMs' in happening || 'zone' in happening;
    pc.advance(happening.atMs - at, moves ? happening : {});
    at = happening.atMs;
    if ('play' in happening) {
      const running = pids.get(happening.play);
      if (running !== undefined && pc.isRunning(running)) continue;
      pids.set(
        happening.play,
        pc.start(happening.play, KID, { obedience: happening.denies ? 'denied' : 'closes' }),
      );
    } else if ('stop' in happening) pc.stop(pids.get(happening.stop) ?? 0);
    else if ('lose' in happening) pc.lose(pids.get(happening.lose) ?? 0);
    else if ('command' in happening) {
      const [command, parameters] = happening.command;
      pc.command({ command, parameters, child_profile: KID, command_id: `c${i}` } as SessionCommand);
    } else if ('agent' in happening && happening.agent === 'rescan') pc.rescan();
    else if ('agent' in happening) {
      pc.agentDown();
      if (happening.agent === 'up') pc.agentUp();
    }
  }
  pc.agentDown();
  pc.agentUp();
  pc.advance(LASTS_MS - at);
}

/** Runs the day on both, and compares all they said and wrote; returns what was told, short. */
function bothTell(day: readonly Happening[]): string[] {
  const options = { config: config(KID_RULES), closeTakesMs: SECOND, ...FROM };
  const virtual = new Virtual(options);
  const provenFile = join(mkdtempSync(join(folder, 'day-')), 'last-proven');
  const shell = new ShellMachine({ ...options, provenFile });
  live(virtual, day);
  live(shell, day);
  const told = virtual.outputs.flatMap((o) => o.events);
  expect(shell.events.map(short)).toEqual(told.map(short));
  expect(shell.events).toEqual(told);
  const [is, should] = [shell.settle(), virtual.settle()];
  expect(is).toEqual(should);
  expect(shell.usage()).toEqual(virtual.usage());
  return told.map(short);
}

const human = (minutes: number, seconds = 0) => minutes * MINUTE + seconds * SECOND + 300;
/** At another second each time, so that no budget that began with one move is used up at the very moment of the next. */
const clocks = (minutes: number) => minutes * MINUTE + (2 + (minutes % 14)) * SECOND;

describe('a day in virtual time and the same day through the shell give the same events', () => {
  it('warnings, grace, close, relaunch, extension, pause, a set clock, a moved zone, sleep, kill -9, midnight', () => {
    const told = bothTell([
      { atMs: human(5), play: 'roblox' },
      { atMs: human(20), play: 'minecraft' },
      { atMs: human(66, 20), play: 'roblox' }, // after the close of 17:05:30
      { atMs: human(66, 25), play: 'roblox' },
      { atMs: human(70), command: ['extend_time', { minutes: 20 }] },
      { atMs: human(71), play: 'roblox' },
      { atMs: human(75), command: ['pause', { minutes: 10 }] },
      { atMs: human(80), play: 'roblox', denies: true },
      { atMs: human(86), command: ['resume', {}] },
      { atMs: clocks(88), stepMs: 26 * HOUR },
      { atMs: clocks(90), zone: 'America/New_York' },
      { atMs: clocks(92), suspendMs: 45 * MINUTE },
      { atMs: human(95), agent: 'down' },
      { atMs: human(98, 7), agent: 'up' },
      { atMs: human(110), stop: 'roblox' },
      { atMs: human(111), command: ['extend_time', { minutes: 300 }] },
      { atMs: human(400), play: 'roblox' },
      { atMs: clocks(420), stepMs: -26 * HOUR },
      { atMs: human(520), agent: 'rescan' },
      { atMs: human(600), stop: 'roblox' },
      { atMs: human(610), play: 'minecraft' },
      { atMs: human(613, 44), lose: 'minecraft' },
    ]);
    for (const kind of [
      'time_limit_warning 1',
      'notification time_limit_exceeded',
      'notification pause',
      'notification close_failed',
      'clock_changed',
    ]) {
      expect(told).toContain(kind);
    }
    expect(told.filter((kind) => kind === 'session_ended').length).toBeGreaterThan(5);
  });

  const game = fc.constantFrom('roblox' as const, 'minecraft' as const);
  const minute = fc.integer({ min: 0, max: 24 * 60 });
  const command: fc.Arbitrary<Command> = fc.oneof(
    fc.tuple(
      fc.constant('extend_time' as const),
      fc.record({ minutes: fc.integer({ min: 1, max: 90 }) }, { requiredKeys: ['minutes'] }),
    ),
    fc.tuple(
      fc.constant('set_time_limit' as const),
      fc.record({ minutes: fc.constantFrom(null, 0, 10, 45, 'config' as const) }),
    ),
    fc.tuple(
      fc.constant('pause' as const),
      fc.constantFrom<{ minutes?: number }>({}, { minutes: 5 }, { minutes: 50 }),
    ),
    fc.tuple(fc.constant('resume' as const), fc.constant({})),
  );
  const doing = (what: fc.Arbitrary<object>) =>
    fc
      .tuple(minute, fc.integer({ min: 18, max: 59 }), what)
      .map(([m, s, does]) => ({ atMs: human(m, s), ...does }));
  const moving = (what: fc.Arbitrary<object>) =>
    fc.tuple(minute, what).map(([m, does]) => ({ atMs: clocks(m), ...does }));
  const happening = fc.oneof(
    { weight: 6, arbitrary: doing(fc.record({ play: game, denies: fc.boolean() })) },
    { weight: 3, arbitrary: doing(fc.record({ stop: game })) },
    { weight: 1, arbitrary: doing(fc.record({ lose: game })) },
    { weight: 4, arbitrary: doing(fc.record({ command })) },
    { weight: 2, arbitrary: doing(fc.record({ agent: fc.constantFrom('down', 'up', 'rescan') })) },
    {
      weight: 1,
      arbitrary: moving(fc.record({ stepMs: fc.constantFrom(-26, -2, 0.05, 3, 26).map((h) => h * HOUR) })),
    },
    { weight: 1, arbitrary: moving(fc.record({ zone: fc.constantFrom('Asia/Tokyo', 'America/New_York') })) },
    {
      weight: 1,
      arbitrary: moving(fc.record({ suspendMs: fc.constantFrom(2, 90, 600).map((m) => m * MINUTE) })),
    },
  ) as fc.Arbitrary<Happening>;
  // The shell looks once a second: two moves of its clocks in one are one to it.
  const generated = fc
    .uniqueArray(happening, { minLength: 10, maxLength: 40, selector: ({ atMs }) => atMs })
    .map((day) => day.sort((a, b) => a.atMs - b.atMs));

  it('any day', { timeout: 180_000 }, () => {
    fc.assert(
      fc.property(generated, (day) => void bothTell(day)),
      { numRuns: 8, seed: 1 },
    );
  });
});
