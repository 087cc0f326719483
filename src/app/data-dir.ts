/**
 * The data directory (contract C6): where it is by default, how it is made, and whether it is ours to trust.
 * What stands in it belongs to tokens.ts, agent-file.ts and the store.
 */
import { chmodSync, lstatSync, mkdirSync, readdirSync, type Stats, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { EXIT, UserError } from '../protocol/exit-codes.ts';
import { windowsSecurity } from './windows-security.ts';

interface Surroundings {
  readonly platform: NodeJS.Platform;
  readonly env: NodeJS.ProcessEnv;
  readonly home: string;
  readonly root: boolean;
}

/** Where the data goes when nobody says. */
export function defaultDataDir(s: Surroundings = surroundings()): string {
  if (s.platform === 'win32') return join(s.env.ProgramData ?? 'C:\\ProgramData', 'Playwarden');
  if (s.platform === 'darwin') {
    return s.root
      ? '/Library/Application Support/Playwarden'
      : join(s.home, 'Library/Application Support/Playwarden');
  }
  if (s.root) return '/var/lib/playwarden';
  const { XDG_STATE_HOME = '' } = s.env;
  // A relative one is invalid and ignored, says the XDG Base Directory Specification.
  return join(isAbsolute(XDG_STATE_HOME) ? XDG_STATE_HOME : join(s.home, '.local/state'), 'playwarden');
}

function surroundings(): Surroundings {
  const { platform, env } = process;
  const root = process.getuid?.() === 0;
  return { platform, env, home: root || platform === 'win32' ? '' : home(), root };
}

function home(): string {
  const found = homeOrNone();
  // HOME set to nothing, or relative, would be another place for each working directory.
  if (isAbsolute(found)) return found;
  throw new UserError(EXIT.config, 'This account has no home directory: name a place with --data-dir.');
}

function homeOrNone(): string {
  try {
    return homedir();
  } catch {
    return '';
  }
}

/** A disk that takes nothing, in difference to a directory that is not ours to write in. */
const DISK_REASONS = new Set(['EROFS', 'ENOSPC', 'EDQUOT', 'EIO']);

/**
 * Makes a directory with the parents it lacks; returns the uppermost one that was made. Not `recursive` of Node,
 * which tries for ever where the system says ENOENT although the parent is there (in /proc).
 */
function makeDirectories(dir: string, mode: number): string | undefined {
  const parent = dirname(dir);
  try {
    mkdirSync(dir, mode);
    return dir;
  } catch (error) {
    if (isThere(dir)) return undefined;
    if (reasonOf(error) !== 'ENOENT' || parent === dir || isThere(parent)) throw error;
  }
  const above = makeDirectories(parent, mode);
  const made = makeDirectories(dir, mode);
  return above ?? made;
}

/**
 * Makes the directory (0700; 0711 as root, so that the child's account reaches agent.json and view.token), or
 * checks the one that is there. Throws UserError 78 when somebody else owns it or may write in it.
 */
export async function prepareDataDir(path: string): Promise<string> {
  const dir = resolve(path);
  const mode = process.getuid?.() === 0 ? 0o711 : 0o700;
  let made: string | undefined;
  let stat: Stats;
  try {
    made = makeDirectories(dir, mode);
    stat = lstatSync(dir);
  } catch (error) {
    const reason = reasonOf(error);
    throw new UserError(
      DISK_REASONS.has(reason) ? EXIT.disk : EXIT.config,
      `The data directory ${dir} cannot be made or looked at (${reason}): name another with --data-dir.`,
    );
  }
  if (!stat.isDirectory()) {
    throw new UserError(
      EXIT.config,
      `${dir} is not a directory of its own (a link?): name another with --data-dir.`,
    );
  }
  refuseStrangeFiles(dir);
  if (process.platform === 'win32') {
    trustOnWindows(dir, made !== undefined);
    return dir;
  }
  // Parents too: under a strict umask the child's account would not get through them.
  for (let each = dir; made; each = dirname(each)) {
    chmodSync(each, mode);
    if (each === made) break;
  }
  const uid = process.getuid?.();
  if (stat.uid !== uid) {
    throw new UserError(
      EXIT.config,
      `The data directory ${dir} belongs to another account (uid ${stat.uid}): run "chown -R ${uid} ${dir}" or name another with --data-dir.`,
    );
  }
  if (!made && stat.mode & 0o022) {
    throw new UserError(
      EXIT.config,
      `Others may write in the data directory ${dir}: run "chmod ${mode.toString(8)} ${dir}" and look at what is in it.`,
    );
  }
  try {
    closePrivateFiles(dir);
  } catch (error) {
    const reason = reasonOf(error);
    throw new UserError(
      DISK_REASONS.has(reason) ? EXIT.disk : EXIT.config,
      `What is in the data directory ${dir} cannot be closed to others (${reason}): run "chown -R ${uid} ${dir}; chmod -R u+rwX ${dir}".`,
    );
  }
  return dir;
}

/** What is opened by name at the start. Tokens and agent.json are looked at by whoever writes them. */
const OPENED = [
  ...['playwarden.db', 'playwarden.db-wal', 'playwarden.db-shm', 'lock.db'],
  ...['store.key', 'high-water', 'disk-reserve', 'last-proven'],
];

/** The opening of a named pipe waits for ever, and what is written into a device is gone. */
function refuseStrangeFiles(dir: string): void {
  const strange = OPENED.map((name) => join(dir, name)).find((file) => !isPlainOrAbsent(file));
  if (strange === undefined) return;
  throw new UserError(EXIT.config, `${strange} is not a plain file: move it away and start again.`);
}

function isPlainOrAbsent(file: string): boolean {
  try {
    return statSync(file, { throwIfNoEntry: false })?.isFile() ?? true;
  } catch {
    return false;
  }
}

/** What nobody but the agent reads (contract C6), with what is made beside it (`-wal`, `.corrupt-…`). */
const PRIVATE = /^(playwarden\.db|lock\.db|store\.key|high-water|disk-reserve|last-proven)/;

/** A file that came back from a backup may be open to all, and others reach it by name in the directory of root. */
function closePrivateFiles(dir: string): void {
  for (const name of readdirSync(dir).filter((each) => PRIVATE.test(each))) {
    const file = join(dir, name);
    const stat = lstatSync(file, { throwIfNoEntry: false });
    if (stat?.isFile() && stat.mode & 0o077) chmodSync(file, 0o600);
  }
}

/** SYSTEM and Administrators full; users may pass through, and read the two files that say so themselves. */
function trustOnWindows(dir: string, made: boolean): void {
  let strangers: readonly string[];
  try {
    const security = windowsSecurity();
    if (made) security.setRights(dir, 'directory');
    strangers = security.strangers(dir, 'directory');
  } catch (error) {
    throw new UserError(
      EXIT.config,
      `The rights of ${dir} cannot be set or read (${reasonOf(error)}): run this as an administrator, or name another with --data-dir.`,
    );
  }
  if (strangers.length > 0) {
    throw new UserError(
      EXIT.config,
      `Others own the data directory ${dir} or may write in it (${strangers.join(', ')}): look at what is in it and run "rmdir /s ${dir}", or name another with --data-dir.`,
    );
  }
}

/** A link that leads nowhere is there too. */
export function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** The short system reason of a failed call: `EACCES`, or the message where there is no code. */
export function reasonOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return error instanceof Error ? error.message : String(error);
}
