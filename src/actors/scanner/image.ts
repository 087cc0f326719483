/**
 * Which program a process is. Mostly its executable; but Wine's loader and an interpreter run somebody else's
 * program, which only the command line names. argv[0] of any other program is its own choice and is never
 * believed: neither can `exec -a` hide a game, nor does `vim RobloxPlayerBeta.exe` become one.
 */

/** What was read of a process. */
export interface Image {
  /** The executable's full path; a bare name where the platform gives no more; null when it cannot be read. */
  readonly exe: string | null;
  readonly argv: readonly string[];
}

const WINE_LOADERS = new Set(['wine', 'wine64', 'wine-preloader', 'wine64-preloader', 'wineloader']);
const INTERPRETER = /^(sh|ash|bash|dash|zsh|ksh|busybox|env|python[\d.]*|perl[\d.]*|ruby[\d.]*|node|nodejs)$/;

/** The part after the last slash of either kind. */
export function baseName(path: string): string {
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
}

/** true: the executable alone does not say which program it is; the command line does. */
export function isHost(exe: string): boolean {
  const name = baseName(exe).toLowerCase();
  return WINE_LOADERS.has(name) || INTERPRETER.test(name);
}

/** The paths under which the process may be known: its executable, and what a host runs. */
export function programPaths({ exe, argv }: Image): readonly string[] {
  const own = exe ?? argv[0];
  if (own === undefined || own === '') return [];
  const hosted = isHost(own) ? hostedProgram(argv) : undefined;
  return hosted === undefined ? [own] : [own, hosted];
}

/**
 * Under Wine the first argument that is not the loader again (Wine moves the arguments up after its start, so
 * that argv[0] becomes the program); for an interpreter the script, which a shebang line puts there too.
 */
function hostedProgram(argv: readonly string[]): string | undefined {
  const [first = '', ...rest] = argv;
  const loader = baseName(first).toLowerCase();
  if (!isHost(first)) return first.includes('\\') ? first : undefined;
  if (WINE_LOADERS.has(loader)) return rest.find((arg) => !WINE_LOADERS.has(baseName(arg).toLowerCase()));
  for (const arg of rest) {
    // `sh -c text` and `python -m module` run no file.
    if (/^-[a-z]*[cme]$/.test(arg)) return undefined;
    if (arg.startsWith('-') || isHost(arg)) continue;
    return arg;
  }
  return undefined;
}
