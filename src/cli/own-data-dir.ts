/** The data directory for a command that changes what is in it, which only the account of the agent may. */
import { lstatSync } from 'node:fs';
import { resolve } from 'node:path';
import { defaultDataDir, prepareDataDir } from '../app/data-dir.ts';
import { EXIT, UserError } from '../protocol/exit-codes.ts';
import type { DataDirOption } from './running-agent.ts';

/** As prepareDataDir; but another account's stays that account's: to make it one's own would end its agent. */
export async function ownDataDir({ dataDir = defaultDataDir() }: DataDirOption): Promise<string> {
  const dir = resolve(dataDir);
  const owner = ownerOf(dir);
  if (owner !== null && owner !== process.getuid?.()) {
    throw new UserError(
      EXIT.config,
      `The data directory ${dir} belongs to another account (uid ${owner}): run this as that account.`,
    );
  }
  return prepareDataDir(dir);
}

/** null: there is none, or nobody can say. */
function ownerOf(dir: string): number | null {
  if (process.platform === 'win32') return null;
  try {
    return lstatSync(dir).uid;
  } catch {
    return null;
  }
}
