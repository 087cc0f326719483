/** Why a thread ended, from what was seen of it. */
import { expect, test } from 'vitest';
import type { ExitReason } from '../../src/runtime/actor.ts';
import { describeExit, exitOf, type Fate } from '../../src/runtime/exit.ts';

const NOTHING: Fate = { ready: true, stopped: false, killed: null, error: null };
const OOM = Object.assign(new Error('heap limit'), { code: 'ERR_WORKER_OUT_OF_MEMORY' });

test.each<[string, Partial<Fate>, number, ExitReason, string]>([
  ['asked to', { stopped: true }, 0, { kind: 'stopped' }, 'stopped as asked'],
  ['by itself', {}, 0, { kind: 'ended', code: 0 }, 'ended by itself with code 0'],
  ['by itself, with a code', {}, 7, { kind: 'ended', code: 7 }, 'ended by itself with code 7'],
  ['an error', { error: new Error('boom') }, 1, { kind: 'crashed', message: 'boom' }, 'crashed: boom'],
  [
    'an error with a cause',
    { error: new Error('boom', { cause: new Error('fuse') }) },
    1,
    { kind: 'crashed', message: 'boom', cause: 'fuse' },
    'crashed: boom: fuse',
  ],
  [
    'something else thrown',
    { error: 'just words' },
    1,
    { kind: 'crashed', message: 'just words' },
    'crashed: just words',
  ],
  [
    'no memory',
    { error: OOM },
    1,
    { kind: 'out_of_memory', message: 'heap limit' },
    'out of memory: heap limit',
  ],
  ['main killed it', { killed: 'hang' }, 1, { kind: 'killed', reason: 'hang' }, 'killed: hang'],
  [
    'main killed it as it stopped',
    { killed: 'late', stopped: true },
    0,
    { kind: 'stopped' },
    'stopped as asked',
  ],
  [
    'killed before ready',
    { ready: false, killed: 'late' },
    1,
    { kind: 'never_ready', message: 'late' },
    'never ready: late',
  ],
  [
    'an error before ready',
    { ready: false, error: new Error('x') },
    1,
    { kind: 'never_ready', message: 'x' },
    'never ready: x',
  ],
  [
    'by itself before ready',
    { ready: false },
    0,
    { kind: 'never_ready', message: 'it ended with code 0 before it was ready' },
    'never ready: it ended with code 0 before it was ready',
  ],
])('%s', (_title, seen, code, exit, words) => {
  expect(exitOf({ ...NOTHING, ...seen }, code)).toEqual(exit);
  expect(describeExit(exit)).toBe(words);
});
