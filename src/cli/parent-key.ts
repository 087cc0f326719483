/**
 * `playwarden parent-key add|list|remove`: the keys with which a parent's phone signs commands (contract K5), kept
 * in the configuration file. Whoever may write there may enrol: that is the account of the agent.
 */
import { realpathSync, statSync } from 'node:fs';
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
import type { DataDirOption } from './running-agent.ts';

export interface ParentKeyOptions extends DataDirOption {
  readonly config?: string;
}

/** How long a running agent may take to read its configuration again, ms. */
const RELOAD_MS = 5_000;
const LOOK_EVERY_MS = 100;
/** So much of a thumbprint names a key. */
const LEAST_PREFIX = 6;

export async function addParentKey(keyFile: string, options: ParentKeyOptions): Promise<ExitCode> {
  const key = readPublicKey(readText(keyFile));
  const print = await thumbprint(key);
  if (options.config === undefined) await ownDataDir(options);
  const file = configOf(options);
  const keys = parentKeysOf(file);
  const known = keys.some((other) => other.key.x === key.x);
  if (!known) {
    const entries = [...keys.map(({ entry }) => entry), key];
    writeWholeFile(file.path, withParentKeys(file, entries), file.mode);
  }
  console.log(`${known ? 'Enrolled already' : 'Enrolled'} in ${file.path}:\n\n  ${print}\n`);
  console.log(
    'Compare this with what the phone shows. Commands that change something must be signed from now on.',
  );
  return inForce(options, print, 'yes');
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
  writeWholeFile(file.path, withParentKeys(file, left), file.mode);
  console.log(`Removed from ${file.path}: ${print}`);
  if (left.length === 0)
    console.log('No parent key is left: the control token alone commands the agent again.');
  return inForce(options, print, 'no');
}

/** RFC 7638, as a phone program shows it. */
async function thumbprint({ kty, crv, x }: ParentKey): Promise<string> {
  const { calculateJwkThumbprint } = await import('jose');
  return calculateJwkThumbprint({ kty, crv, x });
}

// ── the configuration file ────────────────────────────────────────────────────────────────────────────────────

type ConfigOnDisk = ReturnType<typeof readDocument> & { readonly path: string; readonly mode: number };

function configOf({ config, dataDir }: ParentKeyOptions): ConfigOnDisk {
  if (config !== undefined) {
    const text = readText(config);
    const { path, mode } = fileBehind(config);
    return { ...readDocument(text, path), path, mode };
  }
  const path = join(dataDir ?? defaultDataDir(), 'config.json');
  return { ...readDocument(readText(path, '{}'), path), path, mode: 0o600 };
}

/** `missing`: what stands for a file that is not there; left out, it must be. */
function readText(file: string, missing?: string): string {
  try {
    return readSmallFile(file);
  } catch (error) {
    if (missing !== undefined && reasonOf(error) === 'ENOENT') return missing;
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

/** Tells a running agent and sees that it took the change: it may have been started with another file. */
async function inForce(
  { dataDir, config }: ParentKeyOptions,
  print: string,
  wanted: Exclude<InForce, 'unknown'>,
): Promise<ExitCode> {
  const dir = dataDir ?? defaultDataDir();
  const agent = await findAgent(dir).catch(() => null);
  if (!agent) {
    console.log('No agent runs; it takes this at its start.');
    return EXIT.ok;
  }
  if (process.platform === 'win32') {
    console.log('Restart the agent: until then it does not know.');
    return EXIT.ok;
  }
  try {
    process.kill(agent.pid, 'SIGHUP');
  } catch {
    throw new UserError(
      EXIT.failed,
      `The agent (pid ${agent.pid}) belongs to another account: run "playwarden reload" as that account.`,
    );
  }
  const deadline = Date.now() + RELOAD_MS;
  for (;;) {
    const found = await keyInForce(dir, print);
    if (found === wanted) break;
    if (Date.now() > deadline) {
      if (found === 'unknown') {
        const said = `The running agent (pid ${agent.pid}) does not answer`;
        throw new UserError(EXIT.failed, `${said}: whether it has taken this is not known.`);
      }
      const file = config === undefined ? 'give its file with --config' : `is ${config} its file?`;
      throw new UserError(
        EXIT.failed,
        `The running agent did not take it. It reads another configuration: ${file}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  console.log('The running agent has taken it.');
  return EXIT.ok;
}
