/**
 * The store's identity: the key that seals its rows and the agent's id, in a file of its own (0600) so that both
 * outlive a lost database.
 */
import { hash, randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { writeWhole } from './files.ts';

export interface Identity {
  readonly key: string;
  readonly agentId: string;
}

export function newIdentity(): Identity {
  return { key: randomBytes(32).toString('base64url'), agentId: randomUUID() };
}

/** `none`: there is no file; `broken`: there is one that does not hold. */
export function readIdentity(path: string): Identity | 'none' | 'broken' {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'none';
    throw error;
  }
  const [key, agentId, check] = text.trimEnd().split('\n');
  if (!key || !agentId || check !== checksum(key, agentId)) return 'broken';
  return { key, agentId };
}

export function writeIdentity(path: string, { key, agentId }: Identity): void {
  writeWhole(path, `${key}\n${agentId}\n${checksum(key, agentId)}\n`);
}

/** Not keyed: it tells a flipped bit from a key, so that a broken key is never taken for broken rows. */
function checksum(key: string, agentId: string): string {
  return hash('sha256', `${key}\n${agentId}`, 'hex').slice(0, 16);
}
