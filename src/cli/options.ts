/** What the commands of the command line share: their common options, and how a finished one is told. */
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { EXIT, type ExitCode, UserError } from '../protocol/exit-codes.ts';

/** Takes the exit code of the command that ran. */
export type Settle = (code: ExitCode) => void;

/** Adds one group of commands to the root. */
export type CommandGroup = (root: Command, settle: Settle) => void;

/** As contract C6 has them; what holds for this account is known to data-dir.ts, which needs more than help may take. */
const DEFAULT_DATA_DIRS: Partial<Record<NodeJS.Platform, string>> = {
  win32: '%ProgramData%\\Playwarden',
  darwin: '/Library/Application Support/Playwarden as root, else the same below ~',
};

export const dataDir = () => {
  const place =
    DEFAULT_DATA_DIRS[process.platform] ??
    '/var/lib/playwarden as root, else $XDG_STATE_HOME/playwarden or ~/.local/state/playwarden';
  return new Option('--data-dir <dir>', `where the agent keeps its data (default: ${place})`)
    .env('PLAYWARDEN_DATA_DIR')
    .argParser(path);
};

export const configFile = () =>
  new Option(
    '--config <file>',
    'the configuration, JSON (default: config.json in the data directory, if it is there)',
  )
    .env('PLAYWARDEN_CONFIG')
    .argParser(path);

/** A variable that is set to nothing counts as not set, as in a shell: an empty path would be the working directory. */
export function withoutEmpty(env: NodeJS.ProcessEnv): void {
  for (const name of ['PLAYWARDEN_CONFIG', 'PLAYWARDEN_DATA_DIR']) if (env[name] === '') delete env[name];
}

/** An argument that is a path, as seen from the working directory of now: the agent leaves it. */
export function path(text: string): string {
  if (text === '') throw new InvalidArgumentError('must not be empty.');
  try {
    return resolve(text);
  } catch {
    throw new InvalidArgumentError('begins in a working directory that is gone: name it from / on.');
  }
}

/** The characters of a SHA-256 in base64url. */
const THUMBPRINT_LENGTH = 43;

/** An argument that is a thumbprint or the beginning of one, though it begins with a dash; not an option that is mistyped. */
export function thumbprint(text: string): string {
  if (text.startsWith('--') && text.length !== THUMBPRINT_LENGTH)
    throw new InvalidArgumentError(
      'is no option here. A thumbprint that begins with two dashes is given whole.',
    );
  return text;
}

/** An argument that is a port. */
export function port(text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number > 65_535)
    throw new InvalidArgumentError('must be a whole number from 0 to 65535.');
  return number;
}

/** An argument that is a calendar day. */
export function day(text: string): string {
  const date = new Date(`${text}T00:00:00Z`);
  if (
    !/^\d{4}-\d{2}-\d{2}$/.test(text) ||
    Number.isNaN(date.getTime()) ||
    !date.toISOString().startsWith(text)
  )
    throw new InvalidArgumentError('must be a day like 2026-11-23.');
  return text;
}

/** An argument that is a number of minutes. */
export function minutes(text?: string): number {
  const value = Number(text);
  if (!text?.trim() || !Number.isFinite(value))
    throw new UserError(EXIT.usage, `"${text}" is not a number of minutes.`);
  return value;
}
