/**
 * Which program a process is. Mostly its executable; but Wine's loader and an interpreter run somebody else's
 * program, which only the command line names. argv[0] of any other program is its own choice and is never
 * believed: neither can `exec -a` hide a game, nor does `vim RobloxPlayerBeta.exe` become one.
 */
import { isWineLoader } from '../../protocol/command-line.ts';

/** What was read of a process. */
export interface Image {
  /** The executable's full path; a bare name where the platform gives no more; null when it cannot be read. */
  readonly exe: string | null;
  /** The first ones, without Wine's loaders in front of their program (command-line.ts). */
  readonly argv: readonly string[];
  /** The whole command line; left out: these arguments are all of it; null: no one knows it any more. */
  readonly text?: string | null;
}

/** Programs that run a file which their arguments name. */
interface Interpreter {
  readonly names: RegExp;
  /** After it there is text or a module, or the text comes over standard input, and there is no file. */
  readonly noFile: RegExp;
  /** The next argument belongs to it. */
  readonly takesValue: RegExp;
}

const INTERPRETERS: readonly Interpreter[] = [
  {
    names: /^(sh|ash|bash|dash|zsh|ksh|busybox|env)$/,
    noFile: /^-[a-z]*[cs]/,
    takesValue: /^([-+][a-z]*o|--(rcfile|init-file))$/i,
  },
  {
    names: /^python[\d.]*$/,
    noFile: /^-([a-z]*[cm])?$/i,
    takesValue: /^(-[a-z]*[WX]|--check-hash-based-pycs)$/,
  },
  { names: /^perl[\d.]*$/, noFile: /^-([a-z]*e)?$/i, takesValue: /^-I$/ },
  { names: /^ruby[\d.]*$/, noFile: /^-([a-z]*e)?$/i, takesValue: /^-[CEIr]$/ },
  {
    names: /^(node|nodejs)$/,
    noFile: /^(-[pe]*|--(eval|print)(=.*)?)$/s,
    takesValue: /^(-[Cr]|--(require|import|loader|experimental-loader|conditions|env-file|title))$/,
  },
];

/** It is many programs in one, and argv[0] says which. */
const MULTI_CALL = /^busybox$/;

/** The part after the last slash of either kind. */
export function baseName(path: string): string {
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
}

/** true: the executable alone does not say which program it is; the command line does. */
export function isHost(exe: string): boolean {
  return isWineLoader(exe) || runsScripts(exe);
}

function interpreter(exe: string): Interpreter | undefined {
  const name = baseName(exe).toLowerCase();
  return INTERPRETERS.find(({ names }) => names.test(name));
}

function runsScripts(exe: string): boolean {
  return interpreter(exe) !== undefined;
}

/** The paths under which the process may be known: its executable, and what a host runs. */
export function programPaths({ exe, argv }: Image): readonly string[] {
  const own = exe ?? argv[0];
  if (own === undefined || own === '') return [];
  const hosted = isWineLoader(own) ? windowsProgram(argv) : scriptOf(own, argv);
  return hosted === undefined ? [own] : [own, hosted];
}

/** Windows itself adds the ending: `cmd /c RobloxPlayerBeta` runs RobloxPlayerBeta.exe, and is not told more. */
function windowsProgram([first]: readonly string[]): string | undefined {
  if (first === undefined) return undefined;
  return baseName(first).includes('.') ? first : `${first}.exe`;
}

/** The file that an interpreter was given, which a shebang line puts there too. */
function scriptOf(own: string, [first = '', ...rest]: readonly string[]): string | undefined {
  const isMany = MULTI_CALL.test(baseName(own).toLowerCase());
  const runs = interpreter(isMany ? first : own);
  if (!runs) return undefined;
  let skips = false;
  for (const arg of rest) {
    if (skips) {
      skips = false;
      continue;
    }
    if (runs.noFile.test(arg)) return undefined;
    skips = runs.takesValue.test(arg);
    // One interpreter may be called by another: `env python3 FILE`.
    if (!skips && !/^[-+]/.test(arg) && !runsScripts(arg)) return arg;
  }
  return undefined;
}
