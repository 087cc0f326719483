/**
 * The rules of the configuration, compiled: which game a process is, if any (contract C8). `name` is compared
 * with the base name, `path` with the full path of the same program, `command` with the whole command line.
 */
import { unshared } from '../../protocol/command-line.ts';
import type { GameConfig, MatchEntry } from '../../protocol/config.ts';
import { compileGlob, fold } from './glob.ts';
import { baseName, type Image, isHost, programPaths } from './image.ts';

export interface Match {
  /** `games[].id` */
  readonly game: string;
  /** The base name by which it was recognised. */
  readonly name: string;
}

export interface Rules {
  /** The first game whose rules hold; null: none, or its `ignore` holds. Of a text that no one knows the best is believed. */
  match(image: Image): Match | null;
  /** false: a process of this executable is no game whatever its command line, so nothing else has to be read. */
  mayMatch(exe: string): boolean;
}

/** Answers of `mayMatch` kept by executable; when full they are forgotten together. */
const SCREENED_MAX = 2_048;

interface Entry {
  readonly byProgram: (folded: string) => boolean;
  readonly byCommand: ((folded: string) => boolean) | null;
}

export function compileRules(games: readonly GameConfig[]): Rules {
  const compiled = games.map((game) => ({
    id: game.id,
    match: game.match.map(compileEntry),
    ignore: game.ignore.map(compileEntry),
  }));
  const screened = new Map<string, boolean>();

  return {
    match(image) {
      const programs = programPaths(image);
      const folded = programs.map(fold);
      let text: string | null = null;
      // It may be MBs, and few rules ask for it.
      const says = (glob: (folded: string) => boolean) => {
        text ??= fold(image.text ?? image.argv.join(' '));
        return glob(text);
      };
      const command: CommandTest = image.text === null ? null : says;
      for (const game of compiled) {
        if (folded.some((program) => game.ignore.some((entry) => holds(entry, program, command, false))))
          continue;
        const index = folded.findLastIndex((program) =>
          game.match.some((entry) => holds(entry, program, command, true)),
        );
        const program = programs[index];
        if (program !== undefined) return { game: game.id, name: unshared(baseName(program)) };
      }
      return null;
    },

    mayMatch(exe) {
      const known = screened.get(exe);
      if (known !== undefined) return known;
      const program = fold(exe);
      const may =
        isHost(exe) || compiled.some((game) => game.match.some((entry) => entry.byProgram(program)));
      if (screened.size >= SCREENED_MAX) screened.clear();
      screened.set(exe, may);
      return may;
    },
  };
}

function compileEntry(entry: MatchEntry): Entry {
  const name = entry.name === undefined ? null : fold(entry.name);
  const path = entry.path === undefined ? null : compileGlob(entry.path);
  return {
    byProgram: (program) => (name === null || baseName(program) === name) && (path === null || path(program)),
    byCommand: entry.command === undefined ? null : compileGlob(entry.command),
  };
}

/** null: the command line is not known. */
type CommandTest = ((glob: (folded: string) => boolean) => boolean) | null;

/** `unknown`: what a command line counts as that is not known. */
function holds(entry: Entry, program: string, command: CommandTest, unknown: boolean): boolean {
  if (!entry.byProgram(program)) return false;
  return entry.byCommand === null || (command === null ? unknown : command(entry.byCommand));
}
