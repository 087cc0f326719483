/**
 * The two tokens (contract S5): made at the first start, 256 bits in base64url, each alone in its file. A token
 * file with the wrong owner, mode or content is refused with the command that mends it.
 */
import { randomBytes } from 'node:crypto';
import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT, UserError } from '../protocol/exit-codes.ts';
import { reasonOf } from './data-dir.ts';
import { writeWholeFile } from './whole-file.ts';
import { windowsSecurity } from './windows-security.ts';

export interface Tokens {
  readonly view: string;
  readonly control: string;
}

export interface TokenFiles {
  readonly view: string;
  readonly control: string;
}

const MODES = { view: 0o644, control: 0o600 } as const;
type Kind = keyof typeof MODES;

export function tokenFiles(dataDir: string): TokenFiles {
  return { view: join(dataDir, 'view.token'), control: join(dataDir, 'control.token') };
}

/** Reads both tokens, making those that are missing. Throws UserError 78 for a file that is not ours to trust. */
export function loadTokens(dataDir: string): Tokens {
  const files = tokenFiles(dataDir);
  const tokens = { view: load(files.view, 'view'), control: load(files.control, 'control') };
  if (tokens.view === tokens.control) {
    throw new UserError(
      EXIT.config,
      `${files.view} and ${files.control} hold the same token: delete both and start again.`,
    );
  }
  return tokens;
}

/** Replaces both tokens (`playwarden token rotate`). */
export function rotateTokens(dataDir: string): void {
  const files = tokenFiles(dataDir);
  for (const kind of ['view', 'control'] as const) write(files[kind], kind);
}

function load(file: string, kind: Kind): string {
  const stat = asked(file, kind, () => lstatSync(file, { throwIfNoEntry: false }));
  if (!stat) return write(file, kind);
  if (!stat.isFile())
    throw new UserError(EXIT.config, `${file} is not a plain file: delete it and start again.`);
  if (process.platform === 'win32') {
    const rights = kind === 'view' ? 'shared' : 'private';
    if (windowsSecurity().strangers(file, rights).length > 0) {
      throw new UserError(
        EXIT.config,
        `Others have too many rights on ${file}: run "del ${file}" and start again.`,
      );
    }
  } else {
    if (stat.uid !== process.getuid?.()) {
      throw new UserError(
        EXIT.config,
        `${file} belongs to another account (uid ${stat.uid}): delete it and start again.`,
      );
    }
    const mode = MODES[kind];
    if (stat.mode & 0o777 & ~mode) {
      const right = mode.toString(8);
      throw new UserError(
        EXIT.config,
        `Others have too many rights on ${file}: run "chmod ${right} ${file}".`,
      );
    }
  }
  const token = asked(file, kind, () => readFileSync(file, 'utf8')).trim();
  if (!isToken(token)) {
    throw new UserError(EXIT.config, `${file} does not hold a token: delete it and start again.`);
  }
  return token;
}

/** What the system says of the file. Throws UserError: 78 where this account may not look, 74 where the disk does not let it. */
function asked<T>(file: string, kind: Kind, ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    const reason = reasonOf(error);
    const said = `${file} cannot be read (${reason})`;
    if (reason !== 'EACCES' && reason !== 'EPERM')
      throw new UserError(EXIT.disk, `${said}: look at the health of its disk.`);
    const right = MODES[kind].toString(8);
    throw new UserError(EXIT.config, `${said}: run "chmod ${right} ${file}".`);
  }
}

/** Whether a text has the form of a token. */
export function isToken(text: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(text);
}

function write(file: string, kind: Kind): string {
  const token = randomBytes(32).toString('base64url');
  writeWholeFile(file, token, MODES[kind]);
  return token;
}
