/** Reads the configuration from its file: which file, what is in it, and every mistake told at once (C1, C9). */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, DEFAULT_CONFIG, parseConfig } from '../protocol/config.ts';
import { EXIT, UserError } from '../protocol/exit-codes.ts';
import type { FieldError } from '../protocol/problems.ts';
import { isThere, reasonOf } from './data-dir.ts';
import { readJsonDocument } from './json-document.ts';
import { strangersMayWrite } from './path-owners.ts';
import { readSmallFile } from './small-file.ts';

export type ConfigRead =
  | { readonly ok: true; readonly config: Config; readonly file: string | null }
  | { readonly ok: false; readonly file: string; readonly errors: readonly FieldError[] };

/** Of these the second: what stands in the place of the directory is for prepareDataDir to refuse. */
const ABSENT = new Set(['ENOENT', 'ENOTDIR']);

/** A named file must be there; without one, DATA_DIR/config.json is read if it is, else the defaults hold. */
export function readConfig(named: string | undefined, dataDir: string): ConfigRead {
  const file = named ?? join(dataDir, 'config.json');
  let text: string;
  try {
    text = readSmallFile(file);
  } catch (error) {
    const reason = reasonOf(error);
    if (named === undefined && ABSENT.has(reason) && !isThere(file))
      return { ok: true, config: DEFAULT_CONFIG, file: null };
    return { ok: false, file, errors: [{ path: '$', message: `the file cannot be read (${reason})` }] };
  }
  // A child reaches the data directory of root by name, so the file in it must not be the child's to write.
  const problem =
    named === undefined && process.platform !== 'win32' ? writableByOthers(file, dataDir) : null;
  if (problem !== null) return { ok: false, file, errors: [{ path: '$', message: problem }] };
  return readConfigText(text, file);
}

/** The configuration that an agent would start with. Throws UserError 78 with every problem. */
export function configToStartWith(named: string | undefined, dataDir: string): Config {
  const read = readConfig(named, dataDir);
  if (read.ok) return read.config;
  throw new UserError(EXIT.config, `${read.file} does not hold:\n${describeErrors(read.errors)}`);
}

/** Who beside root and the owner of the directory may write in the file, and what mends that; null: nobody. */
function writableByOthers(file: string, dataDir: string): string | null {
  const stat = statSync(file);
  const { mode, uid, gid } = stat;
  const owner = statSync(dataDir).uid;
  if (mode & 0o002)
    return `everybody may write in the file: look at what it says and run "chmod 644 ${file}"`;
  if (strangersMayWrite(stat))
    return `a group may write in the file (gid ${gid}): look at what it says and run "chmod g-w ${file}"`;
  if (uid !== 0 && uid !== owner)
    return `the file belongs to another account (uid ${uid}): look at what it says and run "chown ${owner} ${file}"`;
  return null;
}

/** The same for a text that is at hand. */
export function readConfigText(text: string, file: string): ConfigRead {
  const read = readJsonDocument(text);
  if (!read.ok) return { ok: false, file, errors: read.errors };
  const result = parseConfig(read.document);
  return result.ok ? { ok: true, config: result.config, file } : { ok: false, file, errors: result.errors };
}

/** `path: message`, a line each. */
export function describeErrors(errors: readonly FieldError[]): string {
  return errors.map((e) => `${e.path}: ${e.message}`).join('\n');
}
