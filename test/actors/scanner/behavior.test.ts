/** What is told of what was seen: the cases of the field as a table. Any history at all: histories.test.ts. */
import { describe, expect, test } from 'vitest';
import {
  INITIAL_STATE,
  type Observation,
  orphanPids,
  type ScannerEffect,
  type ScannerState,
  step,
} from '../../../src/actors/scanner/behavior.ts';
import { exec, exit, fork, game, gone, looks, other, unreadable } from './observations.ts';

/** What was told and asked for, as words. */
function words(effects: readonly ScannerEffect[], state: ScannerState): string[] {
  return effects.flatMap((effect) => {
    if (effect.type === 'look_later') return [`look ${orphanPids(state).join(',')}`];
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
  const told: string[] = [];
  for (const one of seen) {
    const [next, more] = step(state, one);
    state = next;
    effects.push(...more);
    told.push(...words(more, next));
  }
  return { state, told, effects };
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
      'the pid is reused by another program between two scans: the game went',
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
      ['+7/k1', '-7/k1 config', '+8/k1 found'],
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
      'a game that hands on to a fork of its own and ends, over and over, plays on: whoever does then is looked at',
      [
        exec(7, game(7)),
        fork(7, 8),
        exit(7),
        fork(8, 9),
        exit(8),
        looks({ 9: game(9) }),
        fork(9, 10),
        exit(9),
      ],
      ['+7/k1', 'look 8', '-7/k1 exit', 'look 9', '+9/k1', 'look 10', '-9/k1 exit'],
    ],
    [
      'the child goes down with the game: nothing more is told',
      [exec(7, game(7)), fork(7, 8), exit(7), exit(8), looks({ 8: gone })],
      ['+7/k1', 'look 8', '-7/k1 exit'],
    ],
  ])('%s', (_, seen, told) => {
    expect(run(...seen).told).toEqual(told);
  });

  /** In its first execution. */
  const first = (pid: number, given: Parameters<typeof game>[1] = {}) =>
    game(pid, { execution: 'e1', ...given });

  test.each<[string, Observation[], string[]]>([
    [
      'a game whose file is renamed while it runs goes on, and ends when it ends',
      [exec(7, first(7)), looks({ 7: other('k1', 'e1') }, 'reconcile'), exit(7)],
      ['+7/k1', '-7/k1 exit'],
    ],
    [
      'and so it does when an older exec of it is handled only then',
      [exec(7, first(7)), exec(7, other('k1', 'e1'))],
      ['+7/k1'],
    ],
    [
      'under the name of another game it is the one that it was started as',
      [exec(7, first(7)), looks({ 7: first(7, { game: 'minecraft' }) })],
      ['+7/k1'],
    ],
    [
      'renamed or not, an exec into something else is a stop',
      [exec(7, first(7)), looks({ 7: other('k1', 'e1') }), looks({ 7: other('k1', 'e2') })],
      ['+7/k1', '-7/k1 exec'],
    ],
    [
      'an exec into the same game is told to main only, and renamed after it it still goes on',
      [exec(7, first(7)), exec(7, first(7, { execution: 'e2' })), looks({ 7: other('k1', 'e2') })],
      ['+7/k1', '~7'],
    ],
    [
      'an execution that cannot be read for a moment changes nothing',
      [exec(7, first(7)), looks({ 7: game(7) }), looks({ 7: other('k1', 'e1') })],
      ['+7/k1'],
    ],
    [
      'where no execution is known the name decides, as ever',
      [exec(7, game(7)), looks({ 7: other('k1', null) })],
      ['+7/k1', '-7/k1 exec'],
    ],
    [
      'the same execution in another process is a fork of it that got its pid: the game went',
      [exec(7, first(7)), looks({ 7: other('k2', 'e1') })],
      ['+7/k1', '-7/k1 gone'],
    ],
    [
      'K4 a fork of a renamed game is part of it, and goes down with it',
      [
        exec(7, first(7)),
        fork(7, 8),
        looks({ 7: other('k1', 'e1'), 8: other('k2', 'e1') }),
        exit(8),
        exit(7),
      ],
      ['+7/k1', '-7/k1 exit'],
    ],
    [
      'a fork of a renamed game that outlives it plays on, as a process of its own',
      [
        exec(7, first(7)),
        fork(7, 8),
        looks({ 8: other('k2', 'e1') }),
        exit(7),
        looks({ 8: other('k2', 'e1') }),
        looks({ 8: other('k2', 'e2') }),
      ],
      ['+7/k1', 'look 8', '-7/k1 exit', '+8/k2', '-8/k2 exec'],
    ],
    [
      'a child that executed the game again, was renamed and outlives its parent plays on as well',
      [
        exec(7, first(7)),
        fork(7, 8),
        exec(8, game(8, { key: 'k2', parent: 7, execution: 'e2' })),
        exit(7),
        looks({ 8: other('k2', 'e2') }),
      ],
      ['+7/k1', 'look 8', '-7/k1 exit', '+8/k2'],
    ],
    [
      'K4 a child that was seen under another folder than its parent is part of it, as the folder was renamed between',
      [exec(7, first(7)), looks({ 8: first(8, { parent: 7, path: '/renamed/RobloxPlayerBeta.exe' }) })],
      ['+7/k1'],
    ],
    [
      'K4 a fork that words its command line anew is part of the game all the same',
      [
        exec(7, first(7)),
        fork(7, 8),
        looks({ 8: first(8, { parent: 7, command: 'play: worker 1' }) }),
        exit(8),
      ],
      ['+7/k1'],
    ],
  ])('renamed while it runs: %s', (_, seen, told) => {
    expect(run(...seen).told).toEqual(told);
  });

  test.each([
    ['it goes on when they still name what it was told as', true, []],
    ['it is let go when they do not', false, ['-7/k1 config']],
  ])('rules that change while a game has another name: %s', (_, named, told) => {
    const [state] = step(INITIAL_STATE, exec(7, first(7)));
    const [next, effects] = step(state, looks({ 7: other('k1', 'e1') }, 'configure'), () => named);
    expect(words(effects, next)).toEqual(told);
  });

  test('the moments are the kernel’s: exec starts, exit ends', () => {
    const { effects } = run(exec(7, game(7), 101.25), exit(7, 106.5));
    expect(effects).toMatchObject([
      { message: { process: { startedAwakeMs: 101.25 } } },
      { message: { endedAwakeMs: 106.5 } },
    ]);
  });

  test('a pid that changes hands between two looks: the game went by the second, whoever has the pid now', () => {
    for (const look of [gone, other('k2'), game(7, { key: 'k2' })]) {
      const { effects } = run(looks({ 7: game(7) }), looks({ 7: look }, 'watch', 350));
      expect(effects[1]).toMatchObject({ message: { endedAwakeMs: 350, how: 'gone' } });
    }
  });

  test('a process that was no game when all were looked at executed it since: it began by then, not with its process', () => {
    const begins = (...seen: Observation[]) =>
      run(...seen).effects.flatMap((effect) =>
        effect.type === 'post' && effect.message.type === 'process.started'
          ? [effect.message.process.startedAwakeMs]
          : [],
      );
    const before = looks({}, 'reconcile', 60_000, true);
    expect(begins(before, looks({ 7: game(7) }, 'watch', 64_000))).toEqual([60_000]);
    expect(begins(before, looks({ 7: game(7) }, 'reconcile', 65_000, true))).toEqual([60_000]);
    // Found at the start; by new rules; too young to have been seen as anything before; known as a part.
    expect(begins(looks({ 7: game(7) }, 'rescan', 60_000, true))).toEqual([10]);
    expect(begins(before, looks({ 7: game(7) }, 'configure', 64_000, true))).toEqual([10]);
    expect(begins(looks({}, 'reconcile', 2_000, true), looks({ 7: game(7) }, 'watch', 2_020))).toEqual([10]);
    const outlives = [exec(7, game(7), 100), looks({ 8: game(8, { parent: 7 }) }), exit(7, 61_000)];
    expect(begins(...outlives, before, looks({ 8: game(8) }, 'watch', 64_000))).toEqual([100, 10]);
  });

  test('a fork of a renamed game that plays on began when it was forked, not when its parent did', () => {
    const { effects } = run(
      exec(7, first(7), 101),
      fork(7, 8, 160),
      exit(7),
      looks({ 8: other('k2', 'e1') }),
    );
    expect(effects.at(-1)).toMatchObject({
      message: { type: 'process.started', process: { pid: 8, startedAwakeMs: 160 } },
    });
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

test('C4: under rules by which it is another game it begins as that one now: nothing before is charged to it', () => {
  const [running] = step(INITIAL_STATE, exec(7, game(7)));
  const seen = looks({ 7: game(7, { game: 'other' }) }, 'configure');
  const [, effects] = step(running, seen);
  expect(effects).toMatchObject([
    { message: { type: 'process.stopped', identity: { pid: 7 } } },
    {
      message: {
        type: 'process.started',
        process: { game: 'other', startedAwakeMs: seen.type === 'looks' ? seen.atMs : Number.NaN },
      },
    },
  ]);
});
