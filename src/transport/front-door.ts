/**
 * Who may come in: Host, then Origin, then token, in the order of contract S6, for HTTP requests and WebSocket
 * upgrades alike. Pure; routes, sizes and schemas come after it.
 */
import type { Role } from '../protocol/ports.ts';
import { type Problem, problem } from '../protocol/problems.ts';
import type { RequestHead } from './http-message.ts';
import { presentedToken, roleOf, type TokenPolicy } from './tokens.ts';
import type { WrongTokens } from './wrong-tokens.ts';

export interface DoorPolicy extends TokenPolicy {
  /** The port in use. */
  readonly port: number;
  readonly allowedOrigins: readonly string[];
}

export type Admission =
  /** `role` null: the route that needs no token. */
  | { readonly kind: 'enter'; readonly role: Role | null; readonly cors: Cors }
  | { readonly kind: 'preflight'; readonly cors: Cors }
  | { readonly kind: 'refuse'; readonly problem: Problem; readonly cors: Cors };

/** CORS headers of the answer; empty without an allowed origin. */
export type Cors = Readonly<Record<string, string>>;

const NO_CORS: Cors = {};
const NAMES = ['localhost', '127.0.0.1', '[::1]'] as const;

const HOST_REFUSED = problem(
  'host-refused',
  'Host must be localhost, 127.0.0.1 or [::1] with the port in use.',
);
const ORIGIN_REFUSED = problem('origin-refused', 'This origin does not stand in security.allowed_origins.');
const UNAUTHORIZED = problem('unauthorized', 'Send "Authorization: Bearer <token>" with a valid token.');

/**
 * Decides on a request before its route is looked at; `now` is monotonic ms. An upgrade may come on any path, and
 * on none without a token.
 */
export function admit(
  head: RequestHead,
  purpose: 'http' | 'upgrade',
  policy: DoorPolicy,
  wrong: WrongTokens,
  now: number,
): Admission {
  if (!hostIsOurs(head, policy.port)) return { kind: 'refuse', problem: HOST_REFUSED, cors: NO_CORS };
  const cors = corsFor(head, policy);
  if (cors === null) return { kind: 'refuse', problem: ORIGIN_REFUSED, cors: NO_CORS };
  if (head.method === 'OPTIONS' && cors !== NO_CORS) return { kind: 'preflight', cors };
  if (purpose === 'http' && head.method === 'GET' && head.path === '/health') {
    return { kind: 'enter', role: null, cors };
  }
  if (!policy.requireToken) return { kind: 'enter', role: 'control', cors };
  const token = presentedToken(head, purpose);
  const role = token === null ? null : roleOf(token, policy);
  if (role !== null) return { kind: 'enter', role, cors };
  const lockedMs = token === null ? 0 : wrong.count(now);
  if (lockedMs === 0) return { kind: 'refuse', problem: UNAUTHORIZED, cors };
  const tooMany = problem('too-many-attempts', 'Too many wrong tokens came within a minute.', {
    retryAfterMs: lockedMs,
  });
  return { kind: 'refuse', problem: tooMany, cors };
}

function hostIsOurs(head: RequestHead, port: number): boolean {
  const hosts = head.headers.get('host') ?? [];
  const host = hosts[0];
  return hosts.length === 1 && host !== undefined && authorities(port).includes(host);
}

/** The server's own origin, or one of `security.allowed_origins`; two at once are none. */
export function originIsAllowed(
  origins: readonly string[],
  policy: Pick<DoorPolicy, 'port' | 'allowedOrigins'>,
): boolean {
  const origin = origins[0];
  if (origins.length !== 1 || origin === undefined) return false;
  return (
    policy.allowedOrigins.includes(origin) ||
    authorities(policy.port).some((authority) => origin === `http://${authority}`)
  );
}

/** The names of this server as a Host or an Origin writes them: port 80 is left out there. */
function authorities(port: number): string[] {
  return NAMES.flatMap((name) => (port === 80 ? [name, `${name}:80`] : [`${name}:${port}`]));
}

/** What an answer tells the browser whose page asked; null: its origin is not allowed. */
export function corsFor(head: RequestHead, policy: Pick<DoorPolicy, 'port' | 'allowedOrigins'>): Cors | null {
  const origins = head.headers.get('origin') ?? [];
  const origin = origins[0];
  if (origin === undefined) return NO_CORS;
  if (!originIsAllowed(origins, policy)) return null;
  const cors = { 'Access-Control-Allow-Origin': origin, Vary: 'Origin' };
  if (head.method !== 'OPTIONS') return cors;
  return {
    ...cors,
    'Access-Control-Allow-Methods': 'GET, POST',
    'Access-Control-Allow-Headers': 'Authorization, Content-Type',
    'Access-Control-Max-Age': '600',
    // Chromium asks for this before a public page may reach a loopback address.
    ...(head.headers.has('access-control-request-private-network') && {
      'Access-Control-Allow-Private-Network': 'true',
    }),
  };
}
