/**
 * The position in a file: written whole beside it, synced, renamed over it. A file that cannot be read as one counts
 * as none: the agent's cursor then decides, which may repeat events and loses none.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import * as z from 'zod/mini';
import { position } from '../protocol/position.ts';
import { readPlainFile } from './plain-file.ts';
import type { PositionStore, Target } from './ports.ts';

const positionFile = z.object({ version: z.literal(1), positions: z.array(position).check(z.maxLength(64)) });

export function filePositions(file: string): PositionStore {
  return {
    load: async () => {
      const parsed = positionFile.safeParse(await readJson(file));
      return parsed.data?.positions ?? [];
    },
    save: async (positions) => {
      await mkdir(dirname(file), { recursive: true, mode: 0o700 });
      await writeWhole(file, `${JSON.stringify({ version: 1, positions })}\n`);
    },
  };
}

/**
 * Of this client with this agent: an account may have to do with two, whose positions mean nothing to each other.
 * `client_id` is safe in a file name by its grammar (contract H1).
 */
export function defaultPositionFile(target: Target, clientId: string): string {
  const place = 'dataDir' in target ? resolve(target.dataDir) : target.url;
  const agent = createHash('sha256').update(place).digest('hex').slice(0, 12);
  return join(stateDirectory(), 'playwarden-client', `${clientId}.${agent}.position.json`);
}

function stateDirectory(): string {
  const { XDG_STATE_HOME = '', LOCALAPPDATA } = process.env;
  if (process.platform === 'win32') return LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Application Support');
  // A relative one is invalid and ignored, says the XDG Base Directory Specification.
  return isAbsolute(XDG_STATE_HOME) ? XDG_STATE_HOME : join(homedir(), '.local', 'state');
}

async function writeWhole(file: string, text: string): Promise<void> {
  const draft = `${file}.${randomUUID()}.tmp`;
  try {
    const handle = await open(draft, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await syncFolder(dirname(file));
}

/** So that the rename survives a power loss too. Windows cannot, and does not need to. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readPlainFile(file));
  } catch {
    return null;
  }
}
