/**
 * /proc/PID/cmdline as what it says. Its length is the child's choice, up to 6 MB (a third of that by default), so
 * nothing here takes longer than to look at each byte a few times, and no more of it than KBs is kept. Pure.
 */

/** The kernel takes no longer one: three quarters of 8 MB, for arguments and environment together (fs/exec.c). */
export const COMMAND_LINE_MAX_BYTES = 6 * 1024 * 1024;

/** Nothing but options before the file that an interpreter runs: so many nobody gives. */
const ARGUMENTS_MAX = 256;
/** Of a longer one its beginning, its length and its end are kept, each half of this, in UTF-16 units. */
const KEPT_MAX = 4_096;

export interface CommandLine {
  /** The first 256 arguments, without Wine's loaders in front of their program. */
  readonly argv: readonly string[];
  /** The whole of it, with spaces between. */
  readonly text: string;
}

const NOTHING: CommandLine = { argv: [], text: '' };

/**
 * Empty for a kernel thread, in the middle of an exec, and at the end. Wine's loaders in front of their program are
 * left out: Wine itself moves them away some ms or, while it first sets up a prefix, some seconds after the start, and
 * a command line that changes would make it another process. Of nothing but loaders the last one stays.
 */
export function commandLine(cmdline: string): CommandLine {
  let end = cmdline.length;
  while (end > 0 && cmdline.charCodeAt(end - 1) === 0) end -= 1;
  if (end === 0) return NOTHING;
  const said = cmdline.slice(0, end);
  const from = afterLoaders(said);
  const rest = said.slice(from);
  return { argv: rest.split('\0', ARGUMENTS_MAX), text: exchanged(rest, '\0', ' ') };
}

/** A command line whose arguments are joined by spaces already, as `ps` tells it. */
export function joinedCommandLine(text: string): CommandLine {
  const from = afterLoaders(text, ' ');
  return { argv: text.slice(from).split(' ', ARGUMENTS_MAX), text: text.slice(from) };
}

function afterLoaders(said: string, between = '\0'): number {
  let from = 0;
  for (let count = 0; count < ARGUMENTS_MAX; count++) {
    const next = said.indexOf(between, from);
    if (next === -1 || !isWineLoader(said.slice(from, next))) return from;
    from = next + 1;
  }
  return from;
}

const WINE_LOADERS = new Set(['wine', 'wine64', 'wine-preloader', 'wine64-preloader', 'wineloader']);

/** Whether this executable is Wine's own, which runs a program of Windows. */
export function isWineLoader(path: string): boolean {
  return WINE_LOADERS.has(path.slice(path.lastIndexOf('/') + 1).toLowerCase());
}

/**
 * What is kept of a command line to tell one from another: a crowd of processes with MBs each must not fill a thread's
 * memory. A long one is no text to match any more (`keptCommandLine`).
 */
export function keptCommand(text: string): string {
  if (text.length <= KEPT_MAX) return unshared(text);
  const half = KEPT_MAX / 2;
  return unshared(`${text.slice(0, half)}\0${text.length}\0${text.slice(-half)}`);
}

/** What is left of it: of a long one the first arguments, and no text that a rule could be held against (null). */
export function keptCommandLine(kept: string): {
  readonly argv: readonly string[];
  readonly text: string | null;
} {
  // No command line has a NUL in it once its arguments are joined.
  const end = kept.indexOf('\0');
  const said = end === -1 ? kept : kept.slice(0, end);
  return { argv: said === '' ? [] : said.split(' ', ARGUMENTS_MAX), text: end === -1 ? kept : null };
}

/** `replaceAll` for one character, which takes 2 s where it stands in each place of 6 MB: this takes 50 ms. */
export function exchanged(text: string, old: string, by: string): string {
  if (text.length <= KEPT_MAX) return text.replaceAll(old, by);
  const bytes = Buffer.from(text, 'utf16le');
  const units = new Uint16Array(bytes.buffer, bytes.byteOffset, text.length);
  const [from, to] = [old.charCodeAt(0), by.charCodeAt(0)];
  for (let at = 0; at < units.length; at++) if (units[at] === from) units[at] = to;
  return bytes.toString('utf16le');
}

/** A part of a string holds the whole of it in memory (V8's sliced strings): what is kept is copied out of it. */
export function unshared(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le');
}
