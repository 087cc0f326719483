/** What Linux says of a process, read from texts as the kernel writes them. */
import { describe, expect, it } from 'vitest';
import { executablePath, isGone, linuxStartKey, parseProcStat } from '../../src/protocol/proc-stat.ts';

const stat = (comm: string, state = 'S', threads = 4) =>
  `812 (${comm}) ${state} 700 812 812 0 -1 4194304 95 0 0 0 1 2 0 0 20 0 ${threads} 0 4711 5734400 200 1844674407\n`;

describe('/proc/PID/stat', () => {
  it.each([['sober'], ['a) b (c'], ['x y'], ['))']])('the name %j does not shift the fields', (comm) => {
    expect(parseProcStat(stat(comm))).toEqual({
      pid: 812,
      comm,
      state: 'S',
      ppid: 700,
      threads: 4,
      startTicks: '4711',
      execution: null,
      ofKernel: false,
    });
  });

  it.each([
    ['kswapd0, forked by kthreadd', '65 (kswapd0) S 2 0 0 0 -1 2623552 0', true],
    ['a kworker that may not be moved', '8 (kworker/0:0H) I 2 0 0 0 -1 69238880 0', true],
    ['a shell of root', '812 (sh) S 700 812 812 0 -1 4194560 95', false],
  ])('PF_KTHREAD tells a thread of the kernel: %s', (_, start, ofKernel) => {
    const text = `${start} 0 0 0 0 0 0 0 20 0 1 0 40 0 0 1844674407\n`;
    expect(parseProcStat(text)?.ofKernel).toBe(ofKernel);
  });

  const layout = (...fields: number[]) => stat('game').replace('\n', ` ${fields.join(' ')} 0 0\n`);
  it.each([
    ['an execution', layout(93898788651008, 93898788670889, 140736762797264), true],
    ['of somebody whom the reader may not look into', layout(1, 1, 0), false],
    ['in the midst of an exec', layout(0, 0, 140736762797264), false],
    ['without a program', layout(0, 0, 0), false],
  ])('an execution is where code and stack were put: %s', (_, text, known) => {
    expect(parseProcStat(text)?.execution).toBe(
      known ? '93898788651008:93898788670889:140736762797264' : null,
    );
  });

  it.each([[''], ['812 (cut'], ['812 (cut) S 1'], ['no process']])('%j is no process', (text) => {
    expect(parseProcStat(text)).toBeNull();
  });

  it('a zombie is gone, unless other threads of it run on', () => {
    const gone = (state: string, threads: number) => isGone(parseProcStat(stat('game', state, threads))!);
    expect(gone('Z', 1)).toBe(true);
    expect(gone('Z', 3)).toBe(false);
    expect(gone('X', 1)).toBe(true);
    expect(gone('D', 1)).toBe(false);
    expect(gone('T', 1)).toBe(false);
  });
});

it('a start key names the boot and the moment in it', () => {
  expect(linuxStartKey('0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9\n', '4711')).toBe('0a1b2c3d:4711');
});

it('an executable whose file was deleted keeps its path', () => {
  expect(executablePath('/games/player (deleted)')).toBe('/games/player');
});
