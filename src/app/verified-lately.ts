/**
 * What of signed commands held lately: their texts, as digests, and their signatures. Either of them in other company
 * was altered, whatever the header says of its key; a key's own signature cannot tell that (contract K5).
 */
import { createHash } from 'node:crypto';

/** Two for each command. */
const MAX_PARTS = 512;

export interface VerifiedLately {
  /** The signature of this compact JWS was found good. */
  remember(jws: string): void;
  /** Whether its text or its signature is one that held. */
  hasPartOf(jws: string): boolean;
}

export function verifiedLately(): VerifiedLately {
  const parts = new Set<string>();
  return {
    remember(jws) {
      for (const part of partsOf(jws)) parts.add(part);
      const [first, second] = parts;
      if (parts.size > MAX_PARTS) for (const oldest of [first, second]) parts.delete(oldest ?? '');
    },
    hasPartOf: (jws) => partsOf(jws).some((part) => parts.has(part)),
  };
}

function partsOf(jws: string): readonly string[] {
  const dot = jws.lastIndexOf('.');
  return [createHash('sha256').update(jws.slice(0, dot)).digest('base64url'), jws.slice(dot + 1)];
}
