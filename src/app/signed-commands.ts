/**
 * Signed commands (contract K5): a compact JWS by a parent's Ed25519 key, bound to this agent by `aud` and to its
 * time by `exp`. Says what was signed, or exactly why it does not count. jose is loaded when the first one comes.
 */
import type { JWK } from 'jose';
import { signedPayload } from '../protocol/commands.ts';
import type { ParentKey } from '../protocol/config.ts';
import type { Answer } from '../protocol/ports.ts';
import { type Problem, type ProblemSlug, problem } from '../protocol/problems.ts';
import { fieldErrors } from '../protocol/schema-errors.ts';
import { changesSomething } from './command-request.ts';
import type { VerifiedLately } from './verified-lately.ts';

export interface SignatureRules {
  readonly keys: readonly ParentKey[];
  readonly agentId: string;
  /** Trusted wall time, ms. */
  readonly nowMs: number;
  /** The latest trusted time ever seen, ms: a clock set back does not revive what has expired. */
  readonly highestTrustedMs: number;
  readonly verifiedBefore: VerifiedLately;
}

export interface SignedCommand {
  /** The command as it would come unsigned. */
  readonly envelope: Readonly<Record<string, unknown>>;
  /** Set when `exp` has passed: it only counts as a repetition of what was carried out in time (contract K2). */
  readonly expired: Problem | null;
}

/** Verifies a compact JWS: the signature first, then for whom it is and whether it is complete. */
export async function verifySigned(jws: string, rules: SignatureRules): Promise<Answer<SignedCommand>> {
  const parts = decode(jws);
  if (!parts) {
    return refuse(
      'signature-invalid',
      'The command is not a compact JWS: three parts of base64url with dots between.',
    );
  }
  if (parts.header.alg !== 'EdDSA') {
    return refuse('signature-invalid', 'The header must say alg EdDSA; no other signature is taken.');
  }
  const signer = await findSigner(jws, parts, rules);
  if (signer) return { ok: false, problem: signer };
  rules.verifiedBefore.remember(jws);

  const claims = signedPayload.safeParse(parts.payload);
  const stamped = fieldErrors(claims.error?.issues ?? []).filter(({ path }) => CLAIMS.has(path));
  if (!isRecord(parts.payload) || stamped.length > 0) {
    const detail = 'A signed command needs command_id, iat, exp and aud beside the command itself.';
    return refuse('signature-incomplete', detail, stamped);
  }
  const { iat: _iat, exp, aud, ...envelope } = parts.payload;
  if (aud !== rules.agentId) {
    return refuse(
      'signature-wrong-audience',
      `The command was signed for another agent; this one is ${rules.agentId}.`,
    );
  }
  const lapsed = Number(exp) * 1_000 <= Math.max(rules.nowMs, rules.highestTrustedMs);
  const expired = lapsed
    ? problem(
        'signature-expired',
        'The signed command came after its exp; sign it again under a new command_id.',
      )
    : null;
  return { ok: true, value: { envelope, expired } };
}

const CLAIMS: ReadonlySet<string> = new Set(['command_id', 'iat', 'exp', 'aud']);

interface Decoded {
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: unknown;
}

/**
 * Finds the key that made the signature; null: found. Which of the two refusals applies is certain with a `kid`:
 * a known one whose key does not verify was altered, an unknown one is a stranger's. Without it a stranger's
 * signature and an altered text look alike, unless the text or the signature is one that held lately; a text that
 * still reads as a command is called a stranger's then.
 */
async function findSigner(
  jws: string,
  parts: Decoded,
  { keys, verifiedBefore }: SignatureRules,
): Promise<Problem | null> {
  const { compactVerify, importJWK, calculateJwkThumbprint } = await import('jose');
  const { kid } = parts.header;
  const candidates: ParentKey[] = [];
  for (const key of keys) {
    if (kid === undefined || kid === key.kid || kid === (await calculateJwkThumbprint(jwk(key))))
      candidates.push(key);
  }
  for (const key of candidates) {
    try {
      await compactVerify(jws, await importJWK(jwk(key), 'EdDSA'), { algorithms: ['EdDSA'] });
      return null;
    } catch {
      // Not by this key.
    }
  }
  const readable = signedPayload.safeParse(parts.payload).success && changesSomething(parts.payload);
  const stranger = kid === undefined ? readable : candidates.length === 0;
  return stranger && !verifiedBefore.hasPartOf(jws)
    ? problem('signature-wrong-key', 'No key in security.parent_keys made this signature.')
    : problem(
        'signature-invalid',
        'The signature does not fit the text: the command was altered on its way.',
      );
}

function jwk({ kty, crv, x }: ParentKey): JWK {
  return { kty, crv, x };
}

/** The parts as JSON; null when it is no JWS, or written in a base64url that also reads as something else. */
function decode(jws: string): Decoded | null {
  const parts = jws.split('.');
  const bytes = parts.map((part) => Buffer.from(part, 'base64url'));
  if (parts.length !== 3 || bytes.some((b, i) => b.length === 0 || b.toString('base64url') !== parts[i]))
    return null;
  const [header, payload] = bytes.map(parseJson);
  return isRecord(header) ? { header, payload } : null;
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refuse(
  slug: ProblemSlug,
  detail: string,
  errors: NonNullable<Problem['errors']> = [],
): { readonly ok: false; readonly problem: Problem } {
  return { ok: false, problem: problem(slug, detail, errors.length > 0 ? { errors } : {}) };
}
