/** What is told of what was seen: the cases of the field as a table, then any history at all against a model. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  INITIAL_STATE,
  type Look,
  type LookCause,
  type Observation,
  type ScannerEffect,
  type ScannerState,
  step,
} from '../../../src/actors/scanner/behavior.ts';

interface Given {
  readonly key?: string;
  readonly game?: string;
  readonly command?: string;
  readonly parent?: number;
}

function game(
  pid: number,
  { key = 'k1', game: id = 'roblox', command = 'play', parent = 1 }: Given = {},
): Look {
  const process = {
    pid,
    startKey: key,
    game: id,
    name: 'RobloxPlayerBeta.exe',
    path: '/games/RobloxPlayerBeta.exe',
    command,
    user: 'kid',
    startedAwakeMs: 10,
  };
  return { is: 'game', sighting: { process, parentPid: parent } };
}

const other = (key: string | null = null): Look => ({ is: 'other', startKey: key });
const gone: Look = { is: 'gone' };
const unreadable: Look = { is: 'unreadable' };

const exec = (pid: number, look: Look, atMs = 100): Observation => ({ type: 'exec', pid, atMs, look });
const exit = (pid: number, atMs = 200, successor: string | null = null): Observation => ({
  type: 'exit',
  pid,
  atMs,
  successor,
});
const fork = (parent: number, child: number): Observation => ({ type: 'fork', parent, child });
const looks = (
  seen: Record<number, Look>,
  cause: LookCause = 'watch',
  atMs: number | null = 300,
): Observation => ({
  type: 'looks',
  cause,
  atMs,
  looks: new Map(Object.entries(seen).map(([pid, look]) => [Number(pid), look])),
});

/** What was told and asked for, as words. */
function words(effects: readonly ScannerEffect[]): string[] {
  return effects.flatMap((effect) => {
    if (effect.type === 'look_later') return [`look ${effect.pids.join(',')}`];
    const { message } = effect;
    switch (message.type) {
      case 'process.started':
        return [`+${message.process.pid}/${message.process.startKey}${message.found ? ' found' : ''}`];
      case 'process.stopped':
        return [`-${message.identity.pid}/${message.identity.startKey} ${message.how}`];
      case 'process.changed':
        return [`~${message.process.pid}`];
      default:
        return [message.type];
    }
  });
}

function run(...seen: Observation[]): { state: ScannerState; told: string[]; effects: ScannerEffect[] } {
  let state = INITIAL_STATE;
  const effects: ScannerEffect[] = [];
  for (const one of seen) {
    const [next, more] = step(state, one);
    state = next;
    effects.push(...more);
  }
  return { state, told: words(effects), effects };
}

describe('the cases of the field', () => {
  test.each<[string, Observation[], string[]]>([
    ['a game that lives 5 ms: start and stop are told', [exec(7, game(7)), exit(7)], ['+7/k1', '-7/k1 exit']],
    [
      'launcher starts, player starts, launcher exits: one start',
      [exec(5, other()), fork(5, 7), exec(7, game(7, { parent: 5 })), exit(5)],
      ['+7/k1'],
    ],
    [
      'a shell becomes the launcher becomes the player: one start',
      [exec(7, other()), exec(7, other()), exec(7, game(7))],
      ['+7/k1'],
    ],
    [
      'two players (multi-instance), one exits',
      [exec(7, game(7)), exec(8, game(8)), exit(7)],
      ['+7/k1', '+8/k1', '-7/k1 exit'],
    ],
    [
      'the pid is reused by another program between two scans: the game went, nobody saw when',
      [looks({ 7: game(7) }), looks({ 7: other('k2') })],
      ['+7/k1', '-7/k1 gone'],
    ],
    [
      'the pid is reused by the game itself: a stop and a start',
      [looks({ 7: game(7) }), looks({ 7: game(7, { key: 'k2' }) })],
      ['+7/k1', '-7/k1 gone', '+7/k2'],
    ],
    ['E3 what cannot be read is never a stop', [exec(7, game(7)), looks({ 7: unreadable })], ['+7/k1']],
    ['E3 a scan that saw nothing of it is never a stop', [exec(7, game(7)), looks({ 8: gone })], ['+7/k1']],
    [
      'the player execs into something else: a stop',
      [exec(7, game(7)), exec(7, other('k1'))],
      ['+7/k1', '-7/k1 exec'],
    ],
    [
      'an exec into the same game under another command line: told to main only',
      [exec(7, game(7)), exec(7, game(7, { command: 'again' })), exit(7)],
      ['+7/k1', '~7', '-7/k1 exit'],
    ],
    ['the same exec seen twice', [exec(7, game(7)), exec(7, game(7)), looks({ 7: game(7) })], ['+7/k1']],
    [
      'an exec from one game into another',
      [exec(7, game(7)), exec(7, game(7, { game: 'minecraft' }))],
      ['+7/k1', '-7/k1 exec', '+7/k1'],
    ],
    [
      'the exec was read when the process had gone: the exit says when',
      [exec(7, game(7)), exec(7, gone), exit(7)],
      ['+7/k1', '-7/k1 exit'],
    ],
    ['an exit of somebody else', [exec(7, game(7)), exit(8)], ['+7/k1']],
    [
      'the exit of an earlier owner of the pid',
      [exec(7, game(7, { key: 'k2' })), exit(7, 200, 'k2')],
      ['+7/k2'],
    ],
    [
      'rules that change: a match had been running, the rest is no game any more',
      [exec(7, game(7)), looks({ 7: other('k1'), 8: game(8) }, 'configure')],
      ['+7/k1', '-7/k1 gone', '+8/k1 found'],
    ],
    ['K4 a fork without exec is part of the game', [exec(7, game(7)), fork(7, 8), exit(8)], ['+7/k1']],
    [
      'K4 a child that executes the same command line is part of it too',
      [exec(7, game(7)), fork(7, 8), exec(8, game(8, { parent: 7 })), fork(8, 9), exit(9), exit(8)],
      ['+7/k1'],
    ],
    [
      'K4 a child with a command line of its own is a process of its own',
      [exec(7, game(7)), fork(7, 8), exec(8, game(8, { parent: 7, command: 'second' }))],
      ['+7/k1', '+8/k1'],
    ],
    [
      'a child that execs into a helper is nothing',
      [exec(7, game(7)), fork(7, 8), exec(8, other()), exit(7), exit(8)],
      ['+7/k1', '-7/k1 exit'],
    ],
    [
      'a list shows parent and child at once, in any order: the parent is told',
      [looks({ 9: game(9, { parent: 8 }), 8: game(8, { parent: 7 }), 7: game(7) })],
      ['+7/k1'],
    ],
    [
      'the child outlives the game: it plays on, as a process of its own',
      [exec(7, game(7)), fork(7, 8), exit(7), looks({ 8: game(8) })],
      ['+7/k1', 'look 8', '-7/k1 exit', '+8/k1'],
    ],
    [
      'the child goes down with the game: nothing more is told',
      [exec(7, game(7)), fork(7, 8), exit(7), exit(8), looks({ 8: gone })],
      ['+7/k1', 'look 8', '-7/k1 exit'],
    ],
  ])('%s', (_, seen, told) => {
    expect(run(...seen).told).toEqual(told);
  });

  test('the moments are the kernel’s: exec starts, exit ends', () => {
    const { effects } = run(exec(7, game(7), 101.25), exit(7, 106.5));
    expect(effects).toMatchObject([
      { message: { process: { startedAwakeMs: 101.25 } } },
      { message: { endedAwakeMs: 106.5 } },
    ]);
  });

  test('nobody watched when it went: no moment is made up', () => {
    const { effects } = run(looks({ 7: game(7) }), looks({ 7: gone }, 'watch', null));
    expect(effects[1]).toMatchObject({ message: { endedAwakeMs: null, how: 'gone' } });
  });

  test('only what a reconcile puts right counts as missed', () => {
    expect(run(looks({ 7: game(7) }, 'rescan'), looks({ 7: gone }, 'watch')).state.missed).toBe(0);
    expect(run(looks({ 7: game(7) }, 'reconcile'), looks({ 7: gone }, 'reconcile')).state.missed).toBe(2);
    expect(run(exec(7, game(7)), looks({ 7: game(7) }, 'reconcile')).state.missed).toBe(0);
  });
});

// ── any history ───────────────────────────────────────────────────────────────────────────────────────────────

interface Running {
  readonly key: string;
  readonly parent: number;
  /** The command line of the game it runs; null: another program. */
  readonly command: string | null;
}

type KernelEvent = { readonly type: 'fork' | 'exec' | 'exit'; readonly pid: number; readonly parent: number };

/** A small machine: processes, the kernel's queue of events, and the scanner at its far end. */
class Machine {
  readonly running = new Map<number, Running>();
  readonly queue: KernelEvent[] = [];
  readonly told = new Map<string, 'running' | 'stopped'>();
  readonly #laters = new Set<number>();
  state: ScannerState = INITIAL_STATE;
  #births = 0;

  fork(parent: number, pid: number): void {
    if (this.running.has(pid)) return;
    this.#births += 1;
    const command = this.running.get(parent)?.command ?? null;
    this.running.set(pid, {
      key: `k${this.#births}`,
      parent: this.running.has(parent) ? parent : 1,
      command,
    });
    this.queue.push({ type: 'fork', pid, parent });
  }

  exec(pid: number, command: string | null): void {
    const process = this.running.get(pid);
    if (!process) return;
    this.running.set(pid, { ...process, command });
    this.queue.push({ type: 'exec', pid, parent: 0 });
  }

  exit(pid: number): void {
    if (!this.running.delete(pid)) return;
    for (const [child, process] of this.running) {
      if (process.parent === pid) this.running.set(child, { ...process, parent: 1 });
    }
    this.queue.push({ type: 'exit', pid, parent: 0 });
  }

  look(pid: number): Look {
    const process = this.running.get(pid);
    if (!process) return gone;
    const { key, command, parent } = process;
    return command === null ? other(key) : game(pid, { key, command, parent });
  }

  deliver(count: number): void {
    for (const { type, pid, parent } of this.queue.splice(0, count)) {
      if (type === 'fork') this.#see(fork(parent, pid));
      else if (type === 'exec') this.#see(exec(pid, this.look(pid)));
      else this.#see(exit(pid, 200, this.running.get(pid)?.key ?? null));
    }
  }

  /** What a source does: events first, then a look at everything and at all that is watched. */
  rescan(cause: LookCause): void {
    this.deliver(this.queue.length);
    const pids = [...this.running.keys(), ...this.state.tracked.keys(), ...this.state.parts.keys()];
    this.#see(looks(Object.fromEntries(pids.map((pid) => [pid, this.look(pid)])), cause));
  }

  loseEvents(): void {
    this.queue.length = 0;
    this.rescan('rescan');
  }

  settle(): void {
    this.deliver(this.queue.length);
    for (const pid of this.#laters) {
      this.#laters.delete(pid);
      this.#see(looks({ [pid]: this.look(pid) }));
    }
  }

  #see(seen: Observation): void {
    const [state, effects] = step(this.state, seen);
    this.state = state;
    for (const effect of effects) {
      if (effect.type === 'look_later') for (const pid of effect.pids) this.#laters.add(pid);
      else this.#hear(effect.message);
    }
  }

  #hear(message: Extract<ScannerEffect, { type: 'post' }>['message']): void {
    if (message.type === 'process.started') {
      const id = `${message.process.pid}/${message.process.startKey}`;
      expect(this.told.get(id)).not.toBe('running');
      this.told.set(id, 'running');
    } else if (message.type === 'process.stopped') {
      const { pid, startKey } = message.identity;
      expect(this.told.get(`${pid}/${startKey}`)).toBe('running');
      this.told.set(`${pid}/${startKey}`, 'stopped');
      const now = this.running.get(pid);
      const playsOn = now?.key === startKey && now.command !== null;
      expect(playsOn, `a stop of ${pid}/${startKey}, which plays on`).toBe(false);
    }
  }

  /** Each game that runs is tracked, or is part of something that is; nothing else is. */
  expectTruth(): void {
    for (const [pid, process] of this.running) {
      if (process.command === null) continue;
      const tracked = this.state.tracked.get(pid)?.startKey === process.key;
      const part = this.state.parts.has(pid) && this.#isWatched(process.parent);
      expect(tracked || part, `${pid}/${process.key} plays unseen`).toBe(true);
    }
    for (const [pid, process] of this.state.tracked) {
      expect(this.running.get(pid)).toMatchObject({ key: process.startKey, command: process.command });
    }
    const running = [...this.told].filter(([, is]) => is === 'running').map(([id]) => id);
    expect(running.sort()).toEqual(
      [...this.state.tracked.values()].map(({ pid, startKey }) => `${pid}/${startKey}`).sort(),
    );
  }

  #isWatched(pid: number): boolean {
    return this.state.tracked.has(pid) || this.state.parts.has(pid);
  }
}

// Few pids and slow delivery: reuse and late looks are what goes wrong.
const pid = fc.integer({ min: 2, max: 5 });
const operation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constant('fork' as const), parent: fc.integer({ min: 1, max: 5 }), pid }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('exec' as const),
      pid,
      command: fc.constantFrom('play', 'second', null),
    }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('exit' as const), pid }) },
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constant('deliver' as const), count: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constantFrom('rescan' as const, 'lose' as const, 'settle' as const) }),
  },
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

function play(machine: Machine, next: Operation): void {
  if (next.op === 'fork') machine.fork(next.parent, next.pid);
  else if (next.op === 'exec') machine.exec(next.pid, next.command);
  else if (next.op === 'exit') machine.exit(next.pid);
  else if (next.op === 'deliver') machine.deliver(next.count);
  else if (next.op === 'rescan') machine.rescan('reconcile');
  else if (next.op === 'lose') machine.loseEvents();
  else machine.settle();
}

/** A pid changes hands within one game while its events wait: too rare for chance to find. */
const LATE_LOOK: Operation[] = [
  { op: 'fork', parent: 1, pid: 2 },
  { op: 'exec', pid: 2, command: 'play' },
  { op: 'exit', pid: 2 },
  { op: 'fork', parent: 1, pid: 2 },
  { op: 'exec', pid: 2, command: 'play' },
  { op: 'deliver', count: 2 },
  { op: 'deliver', count: 1 },
];

describe('any interleaving of forks, execs, exits, late and lost events, and rescans', () => {
  test('is told without a false stop, without a double, and is the truth once all events are in', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const machine = new Machine();
        for (const next of operations) play(machine, next);
        machine.settle();
        machine.rescan('reconcile');
        machine.settle();
        machine.expectTruth();
      }),
      { numRuns: 3_000, examples: [[LATE_LOOK]] },
    );
  });

  test('events that are in time leave nothing for a rescan to put right', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const machine = new Machine();
        for (const next of operations) {
          if (next.op === 'lose') continue;
          play(machine, next);
          machine.settle();
          machine.expectTruth();
        }
      }),
      { numRuns: 3_000 },
    );
  });
});
