/**
 * The table of everything that can go wrong on the wire: problem slugs (RFC 9457) and WebSocket close codes,
 * each with what the client should do next. PROTOCOL.md prints the same tables; a test compares them both ways.
 */

/** What a client should do after a refusal: repeat as it is, repeat later, or stop until something is mended. */
export type Verdict = 'mend' | 'retry_later' | 'stop';

interface ProblemSpec {
  readonly status: number;
  readonly title: string;
  readonly verdict: Verdict;
}

/** Problem slug → HTTP status, title and verdict. `type` on the wire is `urn:playwarden:problem:<slug>`. */
export const PROBLEMS = {
  'bad-request': { status: 400, title: 'The request is not well formed', verdict: 'mend' },
  'bad-json': { status: 400, title: 'The body is not JSON', verdict: 'mend' },
  unauthorized: { status: 401, title: 'A valid token is required', verdict: 'mend' },
  'host-refused': { status: 403, title: 'This Host is not served', verdict: 'stop' },
  'origin-refused': { status: 403, title: 'This Origin is not allowed', verdict: 'stop' },
  'control-required': { status: 403, title: 'The view token may not do this', verdict: 'stop' },
  'signature-required': {
    status: 403,
    title: 'This command must be signed by a parent key',
    verdict: 'stop',
  },
  'signature-invalid': { status: 403, title: 'The signature does not hold', verdict: 'stop' },
  'signature-wrong-key': {
    status: 403,
    title: 'No enrolled parent key made this signature',
    verdict: 'stop',
  },
  'signature-wrong-audience': {
    status: 403,
    title: 'The command was signed for another agent',
    verdict: 'stop',
  },
  'signature-expired': { status: 403, title: 'The signed command has expired', verdict: 'stop' },
  'signature-incomplete': { status: 403, title: 'A signed claim is missing or wrong', verdict: 'mend' },
  'not-found': { status: 404, title: 'There is no such route', verdict: 'stop' },
  'transport-disabled': { status: 404, title: 'This transport is switched off', verdict: 'stop' },
  'session-unknown': { status: 404, title: 'There is no such session', verdict: 'stop' },
  'method-not-allowed': { status: 405, title: 'The route does not take this method', verdict: 'mend' },
  'offset-unknown': { status: 409, title: 'That offset was never given', verdict: 'mend' },
  'session-running': { status: 409, title: 'The session is still running', verdict: 'retry_later' },
  'too-many-clients': { status: 409, title: 'Too many clients are remembered', verdict: 'mend' },
  'command-expired': { status: 410, title: 'The command came after its expiry', verdict: 'stop' },
  'too-large': { status: 413, title: 'The body is larger than 64 KiB', verdict: 'mend' },
  'media-type': { status: 415, title: 'The body must be application/json', verdict: 'mend' },
  'schema-mismatch': { status: 422, title: 'The request does not fit its schema', verdict: 'mend' },
  'command-unknown': { status: 422, title: 'There is no such command', verdict: 'mend' },
  'child-unknown': { status: 422, title: 'There is no such child', verdict: 'mend' },
  'command-id-reused': { status: 422, title: 'This command_id stands for another command', verdict: 'mend' },
  'upgrade-required': { status: 426, title: 'This path speaks WebSocket', verdict: 'mend' },
  'too-many-attempts': { status: 429, title: 'Too many wrong tokens', verdict: 'retry_later' },
  'too-many-commands': { status: 429, title: 'Too many commands', verdict: 'retry_later' },
  internal: { status: 500, title: 'The agent failed to answer', verdict: 'retry_later' },
  stopping: { status: 503, title: 'The agent is stopping', verdict: 'retry_later' },
  'too-many-sockets': { status: 503, title: 'Too many WebSocket connections', verdict: 'retry_later' },
  unavailable: { status: 503, title: 'The part that answers this is restarting', verdict: 'retry_later' },
} as const satisfies Record<string, ProblemSpec>;

export type ProblemSlug = keyof typeof PROBLEMS;

/** One place of a document that does not hold. `path` is dotted from the root, `$` for the root itself. */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

/** A refusal as a value, before it is written as problem+json. */
export interface Problem {
  readonly slug: ProblemSlug;
  /** One sentence: what is wrong, where, what to do. */
  readonly detail: string;
  readonly errors?: readonly FieldError[];
  readonly retryAfterMs?: number;
}

/** The wire form of a problem (RFC 9457). `instance` is the path or command it is about. */
export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly errors?: readonly FieldError[];
  readonly retry_after_ms?: number;
}

export function problem(
  slug: ProblemSlug,
  detail: string,
  more: Omit<Problem, 'slug' | 'detail'> = {},
): Problem {
  return { slug, detail, ...more };
}

export function problemBody(p: Problem, instance: string): ProblemBody {
  const { status, title } = PROBLEMS[p.slug];
  return {
    type: `urn:playwarden:problem:${p.slug}`,
    title,
    status,
    detail: p.detail,
    instance,
    ...(p.errors && { errors: p.errors }),
    ...(p.retryAfterMs !== undefined && { retry_after_ms: p.retryAfterMs }),
  };
}

interface CloseSpec {
  readonly reason: string;
  /** `resume`: come back and resume; `stop`: coming back changes nothing. */
  readonly verdict: 'resume' | 'stop';
  /** What `bye.retry_after_ms` says, ms. */
  readonly retryAfterMs: number;
}

/** WebSocket close codes (contract W6). 4000 to 4499: come back and resume; 4500 to 4999: stop. */
export const CLOSE_CODES = {
  4001: { reason: 'too slow', verdict: 'resume', retryAfterMs: 1_000 },
  4002: { reason: 'displaced by another connection without a name', verdict: 'resume', retryAfterMs: 30_000 },
  4003: { reason: 'acknowledgement overdue', verdict: 'resume', retryAfterMs: 1_000 },
  4004: { reason: 'no pong', verdict: 'resume', retryAfterMs: 1_000 },
  4005: { reason: 'restarting', verdict: 'resume', retryAfterMs: 500 },
  4500: { reason: 'bad frame or hello', verdict: 'stop', retryAfterMs: 0 },
  4501: { reason: 'token rotated', verdict: 'stop', retryAfterMs: 0 },
  4502: { reason: 'replaced by a newer connection of this client', verdict: 'stop', retryAfterMs: 0 },
  4504: { reason: 'acknowledged what was never sent', verdict: 'stop', retryAfterMs: 0 },
} as const satisfies Record<number, CloseSpec>;

export type CloseCode = keyof typeof CLOSE_CODES;
