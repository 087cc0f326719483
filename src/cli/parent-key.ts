/**
 * `playwarden parent-key add|list|remove`: the keys with which a parent's phone signs commands (contract K5), kept
 * in the configuration file. Whoever may write there may enrol: that is the account of the agent.
 */
import { realpathSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { defaultDataDir, reasonOf } from '../app/data-dir.ts';
import { readSmallFile } from '../app/small-file.ts';
import { writeWholeFile } from '../app/whole-file.ts';
import { findAgent } from '../client/discover.ts';
import type { ParentKey } from '../protocol/config.ts';
import { EXIT, type ExitCode, UserError } from '../protocol/exit-codes.ts';
import { columns } from './columns.ts';
import { type InForce, keyInForce } from './key-in-force.ts';
import { ownDataDir } from './own-data-dir.ts';
import { parentKeysOf, readDocument, readPublicKey, withParentKeys } from './parent-key-file.ts';
import { refusalText, reloadAgent } from './reload-agent.ts';
import type { DataDirOption } from './running-agent.ts';

export interface ParentKeyOptions extends DataDirOption {
  readonly config?: string;
}

/** So much of a thumbprint names a key. */
const LEAST_PREFIX = 6;

export async function addParentKey(keyFile: string, options: ParentKeyOptions): Promise<ExitCode> {
  const key = readPublicKey(readText(keyFile));
  const print = await thumbprint(key);
  if (options.config === undefined) await ownDataDir(options);
  const file = configOf(options);
  const keys = parentKeysOf(file);
  const known = keys.some((other) => other.key.x === key.x);
  const change = known ? null : write(file, withParentKeys(file, [...keys.map(({ entry }) => entry), key]));
  const said = await inForce(options, file, change, print, 'yes');
  console.log(`${known ? 'Enrolled already' : 'Enrolled'} in ${file.path}:\n\n  ${print}\n`);
  console.log(
    'Compare this with what the phone shows. Commands that change something must be signed from now on.',
  );
  console.log(said);
  return EXIT.ok;
}

export async function listParentKeys(options: ParentKeyOptions): Promise<ExitCode> {
  const keys = parentKeysOf(configOf(options));
  const rows = await Promise.all(keys.map(async ({ key }) => [await thumbprint(key), key.kid ?? '']));
  console.log(rows.length > 0 ? columns(rows).join('\n') : 'No parent key is enrolled.');
  return EXIT.ok;
}

/** `prefix`: the thumbprint, or enough of its beginning. */
export async function removeParentKey(prefix: string, options: ParentKeyOptions): Promise<ExitCode> {
  const file = configOf(options);
  const keys = parentKeysOf(file);
  const prints = await Promise.all(keys.map(({ key }) => thumbprint(key)));
  const named = new Set(prints.filter((p) => prefix.length >= LEAST_PREFIX && p.startsWith(prefix)));
  const [print] = named;
  if (print === undefined || named.size > 1) {
    const why = print !== undefined ? 'is the beginning of several' : 'names no enrolled key';
    throw new UserError(EXIT.usage, `"${prefix}" ${why}: playwarden parent-key list shows them.`);
  }
  const left = keys.flatMap(({ entry }, i) => (prints[i] === print ? [] : [entry]));
  const change = write(file, withParentKeys(file, left));
  const said = await inForce(options, file, change, print, 'no');
  console.log(`Removed from ${file.path}: ${print}`);
  if (left.length === 0)
    console.log('No parent key is left: the control token alone commands the agent again.');
  console.log(said);
  return EXIT.ok;
}

/** RFC 7638, as a phone program shows it. */
async function thumbprint({ kty, crv, x }: ParentKey): Promise<string> {
  const { calculateJwkThumbprint } = await import('jose');
  return calculateJwkThumbprint({ kty, crv, x });
}

// ── the configuration file ────────────────────────────────────────────────────────────────────────────────────

type ConfigOnDisk = ReturnType<typeof readDocument> & {
  readonly path: string;
  readonly mode: number;
  /** What stands in it; null: it is not there yet. */
  readonly before: string | null;
};

function configOf({ config, dataDir }: ParentKeyOptions): ConfigOnDisk {
  if (config !== undefined) {
    const text = readText(config);
    const { path, mode } = fileBehind(config);
    return { ...readDocument(text, path), path, mode, before: text };
  }
  const path = join(dataDir ?? defaultDataDir(), 'config.json');
  const before = readIfThere(path);
  return { ...readDocument(before ?? '{}', path), path, mode: 0o600, before };
}

/** Returns what it wrote. */
function write({ path, mode }: ConfigOnDisk, text: string): string {
  writeWholeFile(path, text, mode);
  return text;
}

/**
 * As if the command had never been: a file that did not help would otherwise be read at some later start. What somebody
 * else has written since stays.
 */
function putBack({ path, mode, before }: ConfigOnDisk, written: string | null): void {
  if (written === null || readIfThere(path) !== written) return;
  if (before === null) rmSync(path, { force: true });
  else writeWholeFile(path, before, mode);
}

function readText(file: string): string {
  const text = readIfThere(file);
  if (text === null) throw new UserError(EXIT.config, `${file} cannot be read (ENOENT).`);
  return text;
}

/** null: it is not there. */
function readIfThere(file: string): string | null {
  try {
    return readSmallFile(file);
  } catch (error) {
    if (reasonOf(error) === 'ENOENT') return null;
    throw new UserError(EXIT.config, `${file} cannot be read (${reasonOf(error)}).`);
  }
}

/** Where a link leads: the file itself is replaced. What a shell hands over (`/dev/stdin`) is nowhere. */
function fileBehind(file: string): { readonly path: string; readonly mode: number } {
  try {
    const path = realpathSync(file);
    return { path, mode: statSync(path).mode & 0o777 };
  } catch {
    throw new UserError(EXIT.config, `${file} is no file that could be written again.`);
  }
}

// ── the running agent ─────────────────────────────────────────────────────────────────────────────────────────

/**
 * Tells a running agent and sees that it took the change: it may have been started with another file. Returns the
 * sentence that says so; else throws, and the file is as it was unless nobody knows what the agent made of it.
 */
async function inForce(
  { dataDir, config }: ParentKeyOptions,
  file: ConfigOnDisk,
  written: string | null,
  print: string,
  wanted: Exclude<InForce, 'unknown'>,
): Promise<string> {
  const dir = dataDir ?? defaultDataDir();
  const agent = await findAgent(dir).catch(() => null);
  if (!agent) return 'No agent runs; it takes this at its start.';
  if (process.platform === 'win32') return 'Restart the agent: until then it does not know.';
  const outcome = await reloadAgent(dir, agent).catch((error) => {
    putBack(file, written);
    throw error;
  });
  if (outcome.kind === 'refused') {
    putBack(file, written);
    throw new UserError(EXIT.config, `${refusalText(outcome.refusal)}\n${file.path} is as it was.`);
  }
  const found = outcome.kind === 'taken' ? await keyInForce(dir, print) : 'unknown';
  if (found === wanted) return 'The running agent has taken it.';
  if (found === 'unknown') {
    const said = `The running agent (pid ${agent.pid}) does not answer: the change stands in ${file.path}`;
    throw new UserError(EXIT.failed, `${said}, but whether the agent has taken it is not known.`);
  }
  putBack(file, written);
  const other = config === undefined ? 'give its file with --config' : `is ${config} its file?`;
  throw new UserError(
    EXIT.failed,
    `The running agent did not take it. It reads another configuration: ${other} ${file.path} is as it was.`,
  );
}
