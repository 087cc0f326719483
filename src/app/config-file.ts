/** Reads the configuration from its file: which file, what is in it, and every mistake told at once (C1, C9). */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, DEFAULT_CONFIG, parseConfig } from '../protocol/config.ts';
import type { FieldError } from '../protocol/problems.ts';
import { reasonOf } from './data-dir.ts';
import { readSmallFile } from './small-file.ts';

export type ConfigRead =
  | { readonly ok: true; readonly config: Config; readonly file: string | null }
  | { readonly ok: false; readonly file: string; readonly errors: readonly FieldError[] };

/** A named file must be there; without one, DATA_DIR/config.json is read if it is, else the defaults hold. */
export function readConfig(named: string | undefined, dataDir: string): ConfigRead {
  const file = named ?? join(dataDir, 'config.json');
  let text: string;
  try {
    text = readSmallFile(file);
  } catch (error) {
    const reason = reasonOf(error);
    if (named === undefined && reason === 'ENOENT') return { ok: true, config: DEFAULT_CONFIG, file: null };
    return { ok: false, file, errors: [{ path: '$', message: `the file cannot be read (${reason})` }] };
  }
  // A child reaches the data directory of root by name, so the file in it must not be open to everybody.
  if (named === undefined && process.platform !== 'win32' && statSync(file).mode & 0o002) {
    const message = `everybody may write in the file: look at what it says and run "chmod 644 ${file}"`;
    return { ok: false, file, errors: [{ path: '$', message }] };
  }
  return readConfigText(text, file);
}

/** The same for a text that is at hand. A byte-order mark, as Windows editors write it, is passed over. */
export function readConfigText(text: string, file: string): ConfigRead {
  let document: unknown;
  try {
    document = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { ok: false, file, errors: [{ path: '$', message: `the file is not JSON: ${why}` }] };
  }
  const result = parseConfig(document);
  return result.ok ? { ok: true, config: result.config, file } : { ok: false, file, errors: result.errors };
}

/** `path: message`, a line each. */
export function describeErrors(errors: readonly FieldError[]): string {
  return errors.map((e) => `${e.path}: ${e.message}`).join('\n');
}
