/** Which token a request presents, and what it is worth (contract S4, S5). */
import { createHash, timingSafeEqual } from 'node:crypto';
import { SUBPROTOCOL_BEARER } from '../protocol/frames.ts';
import type { Role } from '../protocol/ports.ts';
import type { RequestHead } from './http-message.ts';

export interface TokenPolicy {
  readonly requireToken: boolean;
  readonly viewToken: string;
  readonly controlToken: string;
}

/**
 * The token a request carries; null when it carries none. Two Authorization headers are one wrong token. Only an
 * upgrade may bring it as a subprotocol.
 */
export function presentedToken(head: RequestHead, purpose: 'http' | 'upgrade'): string | null {
  const authorization = head.headers.get('authorization') ?? [];
  if (authorization.length > 1) return '';
  const bearer = /^bearer +(.+)$/i.exec(authorization[0] ?? '')?.[1];
  if (bearer !== undefined || purpose === 'http') return bearer ?? null;
  const offered = offeredSubprotocols(head).find((name) => name.startsWith(SUBPROTOCOL_BEARER));
  return offered === undefined ? null : offered.slice(SUBPROTOCOL_BEARER.length);
}

/** What a WebSocket client offers in Sec-WebSocket-Protocol, in its order. */
export function offeredSubprotocols(head: RequestHead): string[] {
  const values = head.headers.get('sec-websocket-protocol') ?? [];
  return values.flatMap((value) => value.split(',')).map((name) => name.trim());
}

/** The role of a token; null when it is wrong. Both are compared always, in constant time. */
export function roleOf(token: string, policy: TokenPolicy): Role | null {
  const control = sameSecret(token, policy.controlToken);
  const view = sameSecret(token, policy.viewToken);
  if (control) return 'control';
  return view ? 'view' : null;
}

/** Compares hashes, so that neither content nor length shows in the time. */
function sameSecret(given: string, expected: string): boolean {
  const same = timingSafeEqual(digest(given), digest(expected));
  return same && expected.length > 0;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
