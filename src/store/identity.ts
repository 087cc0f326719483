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
  /** false: the first start was never finished, so whatever stands beside it is nothing yet. */
  readonly established: boolean;
}

export function newIdentity(): Identity {
  return { key: randomBytes(32).toString('base64url'), agentId: randomUUID(), established: false };
}

const ESTABLISHED = 'established';

/** `none`: there is no file; `broken`: there is one that does not hold. */
export function readIdentity(path: string): Identity | 'none' | 'broken' {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'none';
    throw error;
  }
  const [key, agentId, state, check] = text.trimEnd().split('\n');
  if (!key || !agentId || !state || check !== checksum(key, agentId, state)) return 'broken';
  return { key, agentId, established: state === ESTABLISHED };
}

export function writeIdentity(path: string, { key, agentId, established }: Identity): void {
  const state = established ? ESTABLISHED : 'first start';
  writeWhole(path, `${[key, agentId, state, checksum(key, agentId, state)].join('\n')}\n`);
}

/** Not keyed: it tells a flipped bit from a key, so that a broken key is never taken for broken rows. */
function checksum(...lines: readonly string[]): string {
  return hash('sha256', lines.join('\n'), 'hex').slice(0, 16);
}
