/** Whether a process is still the program that was to be closed: the decision table, without any process. */
import { describe, expect, it } from 'vitest';
import {
  isPartOf,
  isStill,
  type Marked,
  mayStillBe,
  type SeenProcess,
} from '../../../src/actors/executor/process-control.ts';

const GAME: Marked & SeenProcess = {
  pid: 100,
  startKey: 's100',
  path: '/games/player',
  command: 'player --play',
  execution: 'e1',
};
const UNKNOWN = { execution: null };
const RENAMED = { path: '/games/notes', command: 'notes' };

/** What the process is marked as, what is seen, and: it still is the game; it may be, all the same. */
type Row = [
  what: string,
  marked: Partial<Marked>,
  seen: Partial<SeenProcess>,
  still: boolean,
  doubt: boolean,
];

const ROWS: Row[] = [
  ['nothing changed', {}, {}, true, false],
  ['the file was renamed', {}, { path: '/games/notes' }, true, false],
  ['the command line was reworded', {}, { command: 'notes' }, true, false],
  ['both', {}, RENAMED, true, false],
  ['another process of the same program has the pid', {}, { startKey: 's2' }, false, false],
  ['a fork of it has the pid', {}, { startKey: 's2', execution: 'e1' }, false, false],
  ['it executed another program', {}, { ...RENAMED, execution: 'e2' }, false, false],
  ['it executed the same program with the same arguments', {}, { execution: 'e2' }, true, false],
  ['it executed the same executable with others', {}, { command: 'other', execution: 'e2' }, false, true],
  ['it executed another executable under the same words', {}, { path: '/x', execution: 'e2' }, false, false],
  ['no execution is known, and nothing changed', UNKNOWN, UNKNOWN, true, false],
  ['no execution is known, and the path changed', UNKNOWN, { ...UNKNOWN, path: '/x' }, false, false],
  ['no execution is known, and the words changed', UNKNOWN, { ...UNKNOWN, command: 'x' }, false, true],
  ['the execution was known and is not now', {}, { ...UNKNOWN, command: 'x' }, false, true],
  ['it was marked by an older version', UNKNOWN, { path: '/x' }, false, false],
  ['nothing of it can be read', {}, { path: null, command: null, execution: null }, true, false],
];

describe('K4: a process that was to be closed', () => {
  it.each(ROWS)('%s', (_what, marked, seen, still, doubt) => {
    const pair = [
      { ...GAME, ...marked },
      { ...GAME, ...seen },
    ] as const;
    expect({ still: isStill(...pair), doubt: mayStillBe(...pair) }).toEqual({ still, doubt });
  });

  it('is not there: neither', () => {
    expect([isStill(GAME, null), mayStillBe(GAME, null)]).toEqual([false, false]);
  });

  it('a row that an older version stored has no execution at all', () => {
    const { execution: _, ...older } = GAME;
    expect(isStill(older, GAME)).toBe(true);
    expect(isStill(older, { ...GAME, command: 'x' })).toBe(false);
  });
});

describe('K4: a child of the game', () => {
  const child = (over: Partial<SeenProcess>): SeenProcess => ({
    ...GAME,
    pid: 101,
    startKey: 's101',
    ...over,
  });

  it.each<[string, Partial<SeenProcess>, boolean]>([
    ['forked', {}, true],
    ['forked, and reworded since', RENAMED, true],
    ['of the same executable and command line', { execution: 'e2' }, true],
    ['of another command line', { execution: 'e2', command: 'x' }, false],
    ['of another executable', { execution: 'e2', path: '/x' }, false],
    ['that cannot be read', { path: null, command: null, execution: null }, false],
  ])('%s: part of it %s', (_what, over, part) => {
    expect(isPartOf(GAME, child(over))).toBe(part);
  });
});
