/**
 * Restarts interleaved with play (contract E1, E4, T3 to T7, K2): games of two children start and end while the session actor
 * hangs and dies, the scanner dies, the whole agent is killed, and a parent commands and reloads. What was told and charged is
 * compared with what really happened (restarts/truth.ts).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { type Config, DEFAULT_CONFIG } from '../../src/protocol/config.ts';
import { LONG, LONG_TIMEOUT_MS, report, roundsOf, timeLeftMs } from '../helpers/long-run.ts';
import { FOUND } from './restarts/found.ts';
import { Machine, WALL_MS } from './restarts/machine.ts';
import { disagreements, REJOIN_MS } from './restarts/truth.ts';

const SECOND = 1_000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const folder = mkdtempSync(join(tmpdir(), 'restarts-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// ── what may happen ─────────────────────────────────────────────────────────────────────────────────────────────

const GAMES = ['roblox', 'minecraft'] as const;
const USERS = ['kim', 'tom'] as const;
const ms = (most: number) => fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: most }));
const which = fc.nat({ max: 9 });
const a = <const T extends string, R extends object>(
  what: T,
  rest: { [K in keyof R]: fc.Arbitrary<R[K]> },
): fc.Arbitrary<{ readonly do: T } & R> => fc.record(rest).map((more) => ({ do: what, ...(more as R) }));

const play = [
  {
    weight: 8,
    arbitrary: a('start', {
      game: fc.constantFrom(...GAMES),
      user: fc.constantFrom(...USERS),
      obeys: fc.constantFrom(true, true, true, false),
    }),
  },
  {
    weight: 7,
    arbitrary: a('end', { which, how: fc.constantFrom('seen' as const, 'seen' as const, 'lost' as const) }),
  },
  { weight: 12, arbitrary: a('pass', { ms: ms(20 * SECOND) }) },
  { weight: 1, arbitrary: a('pass', { ms: ms(4 * MINUTE) }) },
];
const faults = [
  { weight: 3, arbitrary: a('session dies', { killed: fc.boolean(), downMs: ms(15 * SECOND) }) },
  { weight: 2, arbitrary: a('session hangs', { ms: ms(2_400), dies: fc.boolean() }) },
  { weight: 2, arbitrary: a('scanner dies', { killed: fc.boolean(), downMs: ms(5 * SECOND) }) },
  { weight: 2, arbitrary: a('kill', { downMs: ms(30 * SECOND) }) },
  {
    weight: 1,
    arbitrary: a('freeze', {
      ms: fc.integer({ min: 4 * SECOND, max: 5 * MINUTE }),
      ends: which,
      starts: fc.boolean(),
    }),
  },
];
const parent = [
  { weight: 2, arbitrary: a('reload', { owners: fc.constantFrom(...(['AB', 'BA', 'AA', 'A-'] as const)) }) },
  {
    weight: 2,
    arbitrary: a('command', {
      command: fc.constantFrom(
        'extend_time',
        'set_time_limit',
        'pause',
        'resume',
        'send_notification',
        'force_close',
      ),
      child: fc.constantFrom('A', 'B'),
      minutes: fc.integer({ min: 1, max: 3 }),
      again: fc.boolean(),
    }),
  },
];
const clocks = [
  { weight: 1, arbitrary: a('sleep', { ms: ms(20 * MINUTE) }) },
  { weight: 1, arbitrary: a('step', { ms: fc.constantFrom(-HOUR, -2 * MINUTE, 3 * MINUTE, 2 * HOUR) }) },
];
type Happening = (typeof play | typeof faults | typeof parent | typeof clocks)[number]['arbitrary'];
type Step = Happening extends infer A ? (A extends fc.Arbitrary<infer T> ? T : never) : never;
const kinds = {
  faults: [...play, ...faults],
  commands: [...play, ...faults, ...parent],
  clocks: [...play, ...faults, ...parent, ...clocks],
};
const stepOf = (of: keyof typeof kinds) =>
  fc.oneof(...(kinds[of] as { weight: number; arbitrary: fc.Arbitrary<Step> }[]));

/** Whose accounts are whose: the first letter is the child of `kim`, the second that of `tom`. */
function configOf(owners: 'AB' | 'BA' | 'AA' | 'A-', limitA: number | null): Config {
  const base = DEFAULT_CONFIG.profiles.default_child!;
  const usersOf = (child: string) => USERS.filter((_, i) => owners[i] === child);
  return {
    ...DEFAULT_CONFIG,
    games: GAMES.map((id) => ({ id, name: id, match: [], ignore: [] })),
    profiles: {
      A: {
        ...base,
        name: 'A',
        os_users: usersOf('A'),
        daily_limit_minutes: limitA,
        warn_minutes: [2, 1],
        grace_seconds: 10,
      },
      B: {
        ...base,
        name: 'B',
        os_users: usersOf('B'),
        daily_limit_minutes: 600,
        games: { minecraft: { daily_limit_minutes: 3 } },
      },
    },
    day: { starts_at: '16:00', time_zone: 'UTC' },
    sessions: { rejoin_seconds: REJOIN_MS / SECOND },
  } as Config;
}

// ── one run ─────────────────────────────────────────────────────────────────────────────────────────────────────

const counts: Record<string, number> = {};

class Run {
  readonly machine: Machine;
  readonly #commands: { readonly id: string; readonly body: object }[] = [];
  readonly #limitA: number | null;
  #owners: 'AB' | 'BA' | 'AA' | 'A-' = 'AB';
  #timesHold = true;

  constructor(seed: number, limitA: number | null) {
    this.#limitA = limitA;
    this.machine = new Machine(configOf('AB', limitA), seed, join(folder, 'proven'));
    rmSync(join(folder, 'proven'), { force: true });
    this.machine.agentUp();
  }

  async do(step: Step): Promise<void> {
    const { machine } = this;
    counts[step.do] = (counts[step.do] ?? 0) + 1;
    const { agent } = machine;
    switch (step.do) {
      case 'start':
        machine.start(step.game, step.user, step.obeys);
        break;
      case 'end': {
        const running = machine.running[step.which % Math.max(1, machine.running.length)];
        if (running) machine.end(running, step.how);
        break;
      }
      case 'pass':
        await machine.pass(step.ms);
        break;
      case 'session dies':
        this.#sessionDies(step.killed, step.downMs);
        break;
      case 'session hangs': {
        const session = agent?.session;
        if (!session?.alive || session.hangs) break;
        session.hang();
        machine.hungMs += step.ms;
        machine.clock.after(step.ms, () => {
          if (!session.alive) return;
          if (step.dies) this.#sessionDies(true, 300);
          else session.wake();
        });
        break;
      }
      case 'scanner dies': {
        const scanner = agent?.scanner;
        if (!scanner?.alive) break;
        scanner.die(step.killed);
        machine.clock.after(step.downMs, () => machine.agent === agent && agent?.startScanner());
        break;
      }
      case 'kill':
        machine.agentDown();
        machine.clock.after(step.downMs, () => machine.agentUp());
        break;
      case 'freeze':
        this.#freeze(step);
        break;
      case 'reload':
        this.#owners = step.owners;
        machine.config = configOf(step.owners, this.#limitA);
        machine.asked = true;
        machine.reloaded = true;
        void agent?.reload(machine.config);
        break;
      case 'command':
        this.#command(step);
        break;
      case 'sleep':
        this.#timesHold = false;
        machine.sleep(step.ms);
        break;
      case 'step':
        this.#timesHold = false;
        machine.stepWall(step.ms);
    }
    await machine.letGoOn();
  }

  #sessionDies(killed: boolean, downMs: number): void {
    const { machine } = this;
    const { agent } = machine;
    if (!agent?.session?.alive) return;
    agent.session.die(killed);
    machine.clock.after(downMs, () => machine.agent === agent && agent.startSession());
  }

  /** The whole agent is stopped and goes on; games start and end meanwhile. */
  #freeze({ ms, ends, starts }: Extract<Step, { do: 'freeze' }>): void {
    const { machine } = this;
    // Who is stopped again before it could look at all is charged what it was told between.
    if (machine.clock.monotonic() - machine.frozen.untilMs < 3 * SECOND) return;
    for (let i = 0; i < 3; i++) {
      machine.clock.sleep(ms / 3);
      if (starts && i < 2) machine.start('roblox', i === 0 ? 'kim' : 'tom', true);
      const running = machine.running[(ends + i) % Math.max(1, machine.running.length)];
      if (running) machine.end(running, 'seen');
    }
    machine.frozen = { ms: machine.frozen.ms + ms, untilMs: machine.clock.monotonic() };
  }

  #command({ command, child, minutes, again }: Extract<Step, { do: 'command' }>): void {
    this.machine.asked = true;
    const before = this.#commands.at(-1);
    const id = `c${this.#commands.length}`;
    const parameters =
      command === 'send_notification'
        ? { title: id, message: 'm' }
        : command === 'resume' || command === 'force_close'
          ? {}
          : { minutes };
    const body =
      again && before ? before.body : { command, child_profile: child, parameters, command_id: id };
    if (!again || !before) this.#commands.push({ id, body });
    void this.machine.agent?.desk.command(body, 'control');
  }

  /** Everything comes up again and has its time; then all games end. */
  async end(): Promise<string[]> {
    const { machine } = this;
    const wrong: string[] = [];
    await machine.pass(40 * SECOND);
    machine.agentUp();
    await machine.pass(5 * MINUTE);
    const before = await this.#ask();
    // What is closed is given its grace time.
    await machine.pass(MINUTE);
    const answer = await this.#ask();
    for (const running of machine.running) {
      const child = { A: 'A', B: 'B' }[this.#owners[USERS.indexOf(running.process.user as 'kim')] ?? ''];
      const left = child && answer[child];
      if (left && left.playing === false) wrong.push(`${child} plays, and the status says it does not`);
      if (
        running.obeys &&
        child &&
        left &&
        left.limited_by !== 'game' &&
        left.remaining_minutes === 0 &&
        before[child]?.remaining_minutes === 0
      ) {
        wrong.push(
          `process ${running.process.pid} of ${child} was not closed, though ${left.limited_by} is over`,
        );
      }
    }
    for (const running of machine.running) machine.end(running, 'seen');
    await machine.pass(2 * MINUTE);
    for (const [child, { playing }] of Object.entries(await this.#ask())) {
      if (playing) wrong.push(`${child} does not play, and the status says it does`);
    }
    return [
      ...wrong,
      ...this.#commandsToldOnce(),
      ...disagreements(machine, WALL_MS - 1_000_000, this.#timesHold),
    ];
  }

  async #ask() {
    const { machine } = this;
    let children: Record<
      string,
      { playing: boolean; remaining_minutes: number | null; limited_by: string | null }
    > = {};
    void machine.agent?.settle().then((answer) => {
      if (answer.ok) children = answer.value.children as typeof children;
    });
    await machine.pass(SECOND);
    expect(Object.keys(children)).toEqual(['A', 'B']);
    return children;
  }

  #commandsToldOnce(): string[] {
    const { entries, commands } = this.machine.disk;
    return this.#commands.flatMap(({ id }) => {
      if (!commands.get(id)) return [];
      const told = entries.filter((e) => e.event.type === 'command_event' && e.event.data.command_id === id);
      const shown = entries.filter((e) => e.event.type === 'notification' && e.event.data.title === id);
      const wanted = commands.get(id)?.command.command === 'send_notification' ? 1 : 0;
      if (told.length === 1 && shown.length === wanted) return [];
      return [`command ${id} was told ${told.length} times, shown ${shown.length}`];
    });
  }
}

const seed = process.env.PLAYWARDEN_SEED;

const MIXES = ['faults', 'commands', 'clocks'] as const;

it.each(MIXES.map((of, i) => ({ of, toGo: MIXES.length - i })))(
  'E1 E4 T3 T6 T7 K2: whatever ends and comes back, what is told and charged is what was played: $of',
  async ({ of, toGo }) => {
    for (const name of Object.keys(counts)) delete counts[name];
    const steps = fc.array(stepOf(of), { minLength: 5, maxLength: 30, size: 'max' });
    const limit = of === 'faults' ? fc.constant(null) : fc.constantFrom(null, 1.5, 4);
    let runs = 0;
    const property = fc.asyncProperty(fc.nat(), limit, steps, async (random, limitA, all) => {
      runs += 1;
      const run = new Run(random, limitA);
      for (const step of all) await run.do(step);
      expect(await run.end()).toEqual([]);
    });
    await fc.assert(property, {
      numRuns: roundsOf(60),
      examples: FOUND[of] as [number, number | null, Step[]][],
      // The suite takes the same runs each time; the long form takes new ones.
      ...(LONG && seed === undefined ? {} : { seed: Number(seed ?? 1) }),
      // Each mix has its share of the minutes.
      ...(Number.isFinite(timeLeftMs()) && { interruptAfterTimeLimit: timeLeftMs() / toGo }),
    });
    report(`restarts, ${of}`, { runs, ...counts });
    for (const what of ['start', 'end', 'session dies', 'session hangs', 'scanner dies', 'kill', 'freeze']) {
      expect([what, counts[what] ?? 0]).not.toEqual([what, 0]);
    }
  },
  LONG_TIMEOUT_MS,
);
