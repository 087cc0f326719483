/**
 * Which program a process is. Mostly its executable; but Wine's loader and an interpreter run somebody else's
 * program, which only the command line names. argv[0] of any other program is its own choice and is never
 * believed: neither can `exec -a` hide a game, nor does `vim RobloxPlayerBeta.exe` become one.
 */
import { isWineLoader } from '../../protocol/proc-stat.ts';

/** What was read of a process. */
export interface Image {
  /** The executable's full path; a bare name where the platform gives no more; null when it cannot be read. */
  readonly exe: string | null;
  /** Without Wine's loaders in front of their program (`commandArguments`). */
  readonly argv: readonly string[];
}

const SHELL = /^(sh|ash|bash|dash|zsh|ksh|busybox|env)$/;
const INTERPRETER = /^(python[\d.]*|perl[\d.]*|ruby[\d.]*|node|nodejs)$/;

/** The part after the last slash of either kind. */
export function baseName(path: string): string {
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
}

/** true: the executable alone does not say which program it is; the command line does. */
export function isHost(exe: string): boolean {
  return isWineLoader(exe) || runsScripts(exe);
}

function runsScripts(exe: string): boolean {
  const name = baseName(exe).toLowerCase();
  return SHELL.test(name) || INTERPRETER.test(name);
}

/** The paths under which the process may be known: its executable, and what a host runs. */
export function programPaths({ exe, argv }: Image): readonly string[] {
  const own = exe ?? argv[0];
  if (own === undefined || own === '') return [];
  const hosted = isWineLoader(own) ? windowsProgram(argv) : runsScripts(own) ? scriptOf(argv) : undefined;
  return hosted === undefined ? [own] : [own, hosted];
}

/** Windows itself adds the ending: `cmd /c RobloxPlayerBeta` runs RobloxPlayerBeta.exe, and is not told more. */
function windowsProgram([first]: readonly string[]): string | undefined {
  if (first === undefined) return undefined;
  return baseName(first).includes('.') ? first : `${first}.exe`;
}

/** The file that an interpreter was given, which a shebang line puts there too. */
function scriptOf([first = '', ...rest]: readonly string[]): string | undefined {
  if (!runsScripts(first)) return undefined;
  // `sh -c text` and `python -m module` run no file; `sh -e file` does.
  const noFile = SHELL.test(baseName(first)) ? /^-[a-z]*c/ : /^-[a-z]*[cme]$/;
  for (const arg of rest) {
    if (noFile.test(arg)) return undefined;
    if (!arg.startsWith('-') && !runsScripts(arg)) return arg;
  }
  return undefined;
}
