import { describe, expect, test } from 'vitest';
import { coloured, columns, paintFor, plain, width } from '../../src/cli/columns.ts';

describe('columns', () => {
  test('each cell is as wide as the widest of its column; the last one ends where its text does', () => {
    expect(
      columns([
        ['a', 'bbb', 'x'],
        ['aaa', 'b'],
      ]),
    ).toEqual(['a    bbb  x', 'aaa  b']);
  });

  test('a right-aligned column ends at one edge', () => {
    expect(
      columns(
        [
          ['a', '5 min', '.'],
          ['a', '12 min', '.'],
        ],
        ['left', 'right'],
      ),
    ).toEqual(['a   5 min  .', 'a  12 min  .']);
  });

  test('colours take no room', () => {
    const [first = '', second = ''] = columns([
      [coloured('red', 'ab'), 'x'],
      ['abcd', 'x'],
    ]);
    expect(width(first)).toBe(width(second));
  });

  test('nothing makes nothing', () => {
    expect(columns([])).toEqual([]);
  });
});

describe('colours', () => {
  test.each([
    ['a terminal', { isTTY: true }, {}, coloured],
    ['a pipe', {}, {}, plain],
    ['a terminal of one who said NO_COLOR', { isTTY: true }, { NO_COLOR: '1' }, plain],
  ])('%s', (_title, stream, env, paint) => {
    expect(paintFor(stream, env)).toBe(paint);
  });
});
