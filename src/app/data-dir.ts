/**
 * The data directory (contract C6): where it is by default, how it is made, and whether it is ours to trust.
 * What stands in it belongs to tokens.ts, agent-file.ts and the store.
 */
import { execFile } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { EXIT, UserError } from '../protocol/exit-codes.ts';

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
  return join(s.env.XDG_STATE_HOME || join(s.home, '.local/state'), 'playwarden');
}

function surroundings(): Surroundings {
  return { platform: process.platform, env: process.env, home: homedir(), root: process.getuid?.() === 0 };
}

/**
 * Makes the directory (0700; 0711 as root, so that the child's account reaches agent.json and view.token), or
 * checks the one that is there. Throws UserError 78 when somebody else owns it or may write in it.
 */
export async function prepareDataDir(path: string): Promise<string> {
  const dir = resolve(path);
  const mode = process.getuid?.() === 0 ? 0o711 : 0o700;
  let made: string | undefined;
  try {
    made = mkdirSync(dir, { recursive: true, mode });
  } catch (error) {
    throw new UserError(
      EXIT.config,
      `The data directory ${dir} cannot be made (${reasonOf(error)}): name another with --data-dir.`,
    );
  }
  if (process.platform === 'win32') {
    if (made) await restrictOnWindows(dir);
    return dir;
  }
  if (made) chmodSync(dir, mode);
  const stat = lstatSync(dir);
  const uid = process.getuid?.();
  if (!stat.isDirectory()) {
    throw new UserError(
      EXIT.config,
      `${dir} is not a directory of its own (a link?): name another with --data-dir.`,
    );
  }
  if (stat.uid !== uid) {
    throw new UserError(
      EXIT.config,
      `The data directory ${dir} belongs to another account (uid ${stat.uid}): run "chown -R ${userInfo().username} ${dir}" or name another with --data-dir.`,
    );
  }
  if (stat.mode & 0o022) {
    throw new UserError(
      EXIT.config,
      `Others may write in the data directory ${dir}: run "chmod ${mode.toString(8)} ${dir}" and look at what is in it.`,
    );
  }
  return dir;
}

/** SYSTEM and Administrators full; users may pass through, and read the files that say so themselves. */
async function restrictOnWindows(dir: string): Promise<void> {
  const grants = ['*S-1-5-18:(OI)(CI)F', '*S-1-5-32-544:(OI)(CI)F', '*S-1-5-32-545:(X)'];
  const own = `${userInfo().username}:(OI)(CI)F`;
  await promisify(execFile)('icacls', [dir, '/inheritance:r', '/grant:r', ...grants, own]).catch(() => {
    throw new UserError(
      EXIT.config,
      `The rights of ${dir} cannot be set with icacls: run as an administrator once.`,
    );
  });
}

/** The short system reason of a failed call: `EACCES`, or the message where there is no code. */
export function reasonOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return error instanceof Error ? error.message : String(error);
}
