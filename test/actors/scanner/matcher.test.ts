/** Which program is a game: the rules of the configuration over what was read of a process. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileGlob, fold } from '../../../src/actors/scanner/glob.ts';
import { compileRules } from '../../../src/actors/scanner/matcher.ts';
import { commandLine } from '../../../src/protocol/command-line.ts';
import { DEFAULT_CONFIG, type MatchEntry } from '../../../src/protocol/config.ts';

const PLAYER = 'C:\\Users\\kid\\AppData\\Local\\Roblox\\Versions\\version-1\\RobloxPlayerBeta.exe';

describe('globs', () => {
  test.each([
    ['*', '', true],
    ['*', 'anything/at all', true],
    ['*/games/*', '/home/kid/games/x', true],
    ['*/games/*', '/home/kid/gamesx', false],
    ['C:\\Games\\*.exe', 'c:/games/deep/er/Play.EXE', true],
    ['C:\\Games\\*.exe', 'c:/games/play.exe.bak', false],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'acb', false],
    ['ab*ba', 'aba', false],
    ['ab*ba', 'abba', true],
    ['version-?/x', 'version-1/x', true],
    ['version-?/x', 'version-12/x', false],
    ['*-?/x', 'a-b-c/x', true],
    ['/g/? dir/x', '/g/🎮 dir/x', true],
    ['/g/?? dir/x', '/g/🎮 dir/x', false],
    ['/g/??', '/g/🎮a', true],
    ['*/? dir/x', '/g/🎮 dir/x', true],
    ['*/?? dir/x', '/g/🎮 dir/x', false],
    ['*? dir/x', '🎮 dir/x', true],
    ['*a??', 'a🎮🎮', true],
    ['*?a?*', '🎮a🎮', true],
    ['?*?', '🎮', false],
    ['*/?/*', '/g/🎮/x', true],
    ['*/??/*', '/g/🎮/x', false],
    ['*??b*', '🎮b', false],
    ['?b*', '🎮b', true],
    ['[a-z].exe', '[A-Z].exe', true],
    ['exact', 'exactly', false],
  ])('%s over %s: %s', (glob, text, expected) => {
    expect(compileGlob(glob)(fold(text))).toBe(expected);
  });

  test('agrees with a regular expression that knows characters', () => {
    const piece = fc.constantFrom('?', '*', 'a', '/', '🎮', '🎯');
    const character = fc.constantFrom('a', '/', '🎮', '🎯', 'é', '🀄');
    const text = (one: fc.Arbitrary<string>) => fc.array(one, { maxLength: 8 }).map((all) => all.join(''));
    fc.assert(
      fc.property(text(piece), text(character), (glob, path) => {
        const source = glob.replaceAll('?', '.').replaceAll('*', '.*');
        expect(compileGlob(glob)(path)).toBe(new RegExp(`^${source}$`, 'su').test(path));
      }),
      { numRuns: 2_000 },
    );
  });

  test('a hostile command line cannot make a match slow', () => {
    const glob = compileGlob(`${'*a'.repeat(200)}*b`);
    const started = performance.now();
    expect(glob('a'.repeat(65_536))).toBe(false);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe('C8 the default rules', () => {
  const rules = compileRules(DEFAULT_CONFIG.games);
  test.each([
    ['the player on Windows', PLAYER, [], 'RobloxPlayerBeta.exe'],
    ['in another case', PLAYER.toUpperCase(), [], 'ROBLOXPLAYERBETA.EXE'],
    [
      'the Store edition by its path',
      'C:\\Program Files\\WindowsApps\\ROBLOXCORPORATION.ROBLOX_2.6_x64__55nm\\Windows10Universal.exe',
      [],
      'Windows10Universal.exe',
    ],
    ['macOS', '/Applications/Roblox.app/Contents/MacOS/RobloxPlayer', [], 'RobloxPlayer'],
    ['Sober', '/app/bin/sober', ['sober'], 'sober'],
    ['a bare name, where the platform tells no path', 'RobloxPlayerBeta.exe', [], 'RobloxPlayerBeta.exe'],
    ['Wine', '/usr/lib/wine/wine64-preloader', [PLAYER, '--app'], 'RobloxPlayerBeta.exe'],
    [
      'Wine, just executed',
      '/usr/lib/wine/wine64-preloader',
      commandLine(`/usr/lib/wine/wine64-preloader\0/usr/lib/wine/wine64\0${PLAYER}\0`).argv,
      'RobloxPlayerBeta.exe',
    ],
    ['Wine, started by hand', '/usr/bin/wine64', ['RobloxPlayerBeta.exe', '--app'], 'RobloxPlayerBeta.exe'],
    ['Wine, without the ending', '/usr/bin/wine64', ['RobloxPlayerBeta'], 'RobloxPlayerBeta.exe'],
    [
      'Wine, its executable not readable',
      null,
      commandLine(`wine64\0${PLAYER}\0`).argv,
      'RobloxPlayerBeta.exe',
    ],
    [
      'a script of that name',
      '/usr/bin/dash',
      ['/bin/sh', '/home/kid/RobloxPlayerBeta.exe'],
      'RobloxPlayerBeta.exe',
    ],
    [
      'a script of that name whose first line has an option',
      '/usr/bin/dash',
      ['/bin/sh', '-e', '/home/kid/RobloxPlayerBeta.exe'],
      'RobloxPlayerBeta.exe',
    ],
    [
      'a script behind an option with a value, in a shell',
      '/usr/bin/bash',
      ['bash', '-eo', 'pipefail', '/home/kid/RobloxPlayerBeta.exe'],
      'RobloxPlayerBeta.exe',
    ],
    [
      'the same in Python',
      '/usr/bin/python3.11',
      ['python3', '-W', 'ignore', '/home/kid/RobloxPlayerBeta.exe'],
      'RobloxPlayerBeta.exe',
    ],
    [
      'the same in Perl',
      '/usr/bin/perl',
      ['perl', '-I', '/lib', '/home/kid/RobloxPlayerBeta.exe'],
      'RobloxPlayerBeta.exe',
    ],
    [
      'the same in Node',
      '/usr/bin/node',
      ['node', '--require', 'fs', '/home/kid/RobloxPlayerBeta.exe'],
      'RobloxPlayerBeta.exe',
    ],
    [
      'a script whose interpreter goes by another name',
      '/usr/bin/python3.11',
      ['firefox', '/home/kid/RobloxPlayerBeta.exe'],
      'RobloxPlayerBeta.exe',
    ],
    [
      'a script of a login shell',
      '/usr/bin/bash',
      ['-bash', '/home/kid/RobloxPlayerBeta.exe'],
      'RobloxPlayerBeta.exe',
    ],
    [
      'a script after the end of the options',
      '/usr/bin/bash',
      ['bash', '-', '/home/kid/RobloxPlayerBeta.exe'],
      'RobloxPlayerBeta.exe',
    ],
    [
      'a script of a shell that is one of many programs',
      '/bin/busybox',
      ['sh', '/home/kid/RobloxPlayerBeta.exe'],
      'RobloxPlayerBeta.exe',
    ],
    ['hidden by argv[0]', '/opt/RobloxPlayerBeta.exe', ['homework'], 'RobloxPlayerBeta.exe'],
    ['the executable could not be read', null, ['/opt/sober'], 'sober'],
  ])('%s is the game', (_, exe, argv, name) => {
    expect(rules.match({ exe, argv })).toEqual({ game: 'roblox', name });
    if (exe) expect(rules.mayMatch(exe)).toBe(true);
  });

  test.each([
    ['the launcher', PLAYER.replace('PlayerBeta', 'PlayerLauncher'), []],
    ['Studio', PLAYER.replace('PlayerBeta', 'StudioBeta'), []],
    ['the crash handler under Wine', '/usr/bin/wine64-preloader', ['C:\\x\\RobloxCrashHandler.exe']],
    ['an editor with the game as a file', '/usr/bin/vim', ['vim', 'RobloxPlayerBeta.exe']],
    ['a program that calls itself the game', '/usr/bin/sleep', ['RobloxPlayerBeta.exe', '60']],
    [
      'a script that is given the game',
      '/usr/bin/python3.11',
      ['python3', 'unpack.py', 'RobloxPlayerBeta.exe'],
    ],
    ['a command line of a shell', '/usr/bin/dash', ['sh', '-ec', 'RobloxPlayerBeta.exe']],
    ['another of many programs that is given the game', '/bin/busybox', ['ls', 'RobloxPlayerBeta.exe']],
    ['the value of an option', '/usr/bin/python3.11', ['python3', '-W', 'RobloxPlayerBeta.exe']],
    ['a module', '/usr/bin/python3.11', ['python3', '-Bm', 'RobloxPlayerBeta.exe']],
    ['a shell that reads what it runs', '/usr/bin/bash', ['bash', '-s', '--', 'RobloxPlayerBeta.exe']],
    ['Python, the same', '/usr/bin/python3.11', ['python3', '-', 'RobloxPlayerBeta.exe']],
    ['Perl, the same', '/usr/bin/perl', ['perl', '-', 'RobloxPlayerBeta.exe']],
    ['a text for Node', '/usr/bin/node', ['node', '--eval=0\n', 'RobloxPlayerBeta.exe']],
    ['a shell that calls itself the game', '/usr/bin/bash', [PLAYER]],
    ['another program under Wine that is given the game', '/usr/bin/wine64', ['unpack.exe', PLAYER]],
    ['another program of the Store', 'C:\\WindowsApps\\Other_1\\Windows10Universal.exe', []],
    ['wine alone', '/usr/bin/wine64', ['wine64']],
    ['nothing at all', null, []],
  ])('%s is not', (_, exe, argv) => {
    expect(rules.match({ exe, argv })).toBeNull();
  });

  test('most programs are told apart by their executable alone', () => {
    expect(rules.mayMatch('/usr/bin/gcc')).toBe(false);
    expect(rules.mayMatch('/usr/bin/bash')).toBe(true);
  });
});

describe('C8 entries', () => {
  const rules = (match: MatchEntry[], ignore: MatchEntry[] = []) =>
    compileRules([{ id: 'g', name: 'G', match, ignore }]);

  test('all keys of one entry must hold', () => {
    const both = rules([{ name: 'javaw.exe', command: '*minecraft*' }]);
    expect(
      both.match({ exe: 'C:\\jre\\javaw.exe', argv: ['javaw.exe', '-jar', 'Minecraft.jar'] }),
    ).not.toBeNull();
    expect(both.match({ exe: 'C:\\jre\\javaw.exe', argv: ['javaw.exe', '-jar', 'editor.jar'] })).toBeNull();
    expect(both.match({ exe: 'C:\\jre\\java.exe', argv: ['minecraft'] })).toBeNull();
    expect(both.mayMatch('C:\\jre\\javaw.exe')).toBe(true);
  });

  test('a rule over the command line alone has every program read', () => {
    const any = rules([{ command: '*--play*' }]);
    expect(any.mayMatch('/usr/bin/gcc')).toBe(true);
    expect(any.match({ exe: '/usr/bin/x', argv: ['x', '--play'] })).toEqual({ game: 'g', name: 'x' });
  });

  test('ignore wins, by command line too', () => {
    const some = rules([{ name: 'x' }], [{ command: '*--check*' }]);
    expect(some.match({ exe: '/bin/x', argv: ['x', '--check'] })).toBeNull();
    expect(some.match({ exe: '/bin/x', argv: ['x'] })).not.toBeNull();
  });

  test('a name is no glob', () => {
    expect(rules([{ name: 'Roblox*' }]).match({ exe: '/bin/RobloxPlayer', argv: [] })).toBeNull();
  });

  test('the first game whose rules hold is it', () => {
    const two = compileRules([
      { id: 'a', name: 'A', match: [{ name: 'x' }], ignore: [{ path: '/b/*' }] },
      { id: 'b', name: 'B', match: [{ name: 'x' }], ignore: [] },
    ]);
    expect(two.match({ exe: '/a/x', argv: [] })?.game).toBe('a');
    expect(two.match({ exe: '/b/x', argv: [] })?.game).toBe('b');
  });
});
