/** A command line as it is read and as it is kept, whatever a child makes of it. */
import { expect, it } from 'vitest';
import {
  COMMAND_LINE_MAX_BYTES,
  commandLine,
  joinedCommandLine,
  keptCommand,
  keptCommandLine,
} from '../../src/protocol/command-line.ts';

it('ends without its NULs, and may be empty', () => {
  expect(commandLine('a\0b c\0\0')).toEqual({ argv: ['a', 'b c'], text: 'a b c' });
  expect(commandLine('')).toEqual({ argv: [], text: '' });
  expect(commandLine('\0\0')).toEqual({ argv: [], text: '' });
});

it('of a program under Wine is the same before and after Wine moves its loaders out of it', () => {
  const before = '/usr/lib/wine/wine64-preloader\0/usr/lib/wine/wine64\0C:\\Play.exe\0--wine\0';
  expect(commandLine(before).argv).toEqual(['C:\\Play.exe', '--wine']);
  expect(commandLine('C:\\Play.exe\0--wine\0').argv).toEqual(['C:\\Play.exe', '--wine']);
  expect(commandLine('/usr/bin/wine\0').argv).toEqual(['/usr/bin/wine']);
  expect(joinedCommandLine('/usr/bin/wine64 C:\\Play.exe --wine').text).toBe('C:\\Play.exe --wine');
});

it('has all of its text, and its first arguments', () => {
  const { argv, text } = commandLine(`x\0${'-B\0'.repeat(100_000)}game\0`);
  expect(argv.length).toBeLessThan(1_000);
  expect(text).toMatch(/^x -B .* -B game$/);
});

// A pattern that looks for the NULs at the end would go back and forth among these: 30 s for 64 KB.
it('is read in one go, whatever stands in it', () => {
  const hostile = `${'\0'.repeat(COMMAND_LINE_MAX_BYTES - 1)}x`;
  expect(commandLine(hostile).text).toMatch(/ x$/);
  expect(commandLine('wine\0'.repeat(COMMAND_LINE_MAX_BYTES / 5)).argv[0]).toBe('wine');
});

it('is kept as it is, or, when it is long, as what tells it from another', () => {
  expect(keptCommand('player --join 1')).toBe('player --join 1');
  const long = `player ${'x'.repeat(100_000)} --join 1`;
  const kept = keptCommand(long);
  expect(keptCommandLine(kept)).toMatchObject({ argv: ['player', expect.any(String)], text: null });
  expect(keptCommandLine('player --join 1')).toEqual({
    argv: ['player', '--join', '1'],
    text: 'player --join 1',
  });
  expect(kept.length).toBeLessThan(5_000);
  expect(keptCommand(long)).toBe(kept);
  for (const other of [
    `${long}2`,
    `${long.slice(0, -1)}2`,
    long.replace('xx', 'x'),
    long.replace('player', 'notes '),
  ])
    expect(keptCommand(other)).not.toBe(kept);
});
