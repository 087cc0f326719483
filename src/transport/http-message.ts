/**
 * A request and a reply as plain values: what the front door and the routes see, free of uWebSockets.js. Also the
 * two forms every answer takes: success with a time stamp, or problem+json (contract sections 4 and 8).
 */
import { PROBLEMS, type Problem, problemBody } from '../protocol/problems.ts';
import { jsonText } from '../protocol/well-formed.ts';

/** What stands before the body. Header names are lower case; a name that came twice has two values. */
export interface RequestHead {
  /** As sent: methods are case-sensitive. */
  readonly method: string;
  /** Without the query, not decoded. */
  readonly path: string;
  readonly query: string;
  readonly headers: ReadonlyMap<string, readonly string[]>;
}

export type BodyResult =
  | { readonly kind: 'whole'; readonly bytes: Uint8Array }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'aborted' };

export interface IncomingRequest {
  readonly head: RequestHead;
  /** Collects the body. To be called before the first await: what arrives unheard is gone. */
  body(maxBytes: number): Promise<BodyResult>;
  /** Calls `fn` when the client goes before its answer was written whole. */
  onAbort(fn: () => void): void;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Called once: `true` when everything went to the kernel, `false` when the client left before. */
  readonly onWritten?: (whole: boolean) => void;
}

/** The one value of a header; undefined when it is missing or came more than once. */
export function header(head: RequestHead, name: string): string | undefined {
  const values = head.headers.get(name);
  return values?.length === 1 ? values[0] : undefined;
}

/** 200 with `status` and `timestamp` before the given keys; `wallMs` is epoch ms. */
export function success(wallMs: number, fields: object): Reply {
  return json(jsonText({ status: 'success', timestamp: new Date(wallMs).toISOString(), ...fields }));
}

/** 200 with a body that is JSON text already. */
export function json(body: string): Reply {
  return {
    status: 200,
    headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' },
    body,
  };
}

/** A refusal as problem+json. Before authentication `instance` stays `/`, so that the body is constant. */
export function problemReply(
  problem: Problem,
  instance = '/',
  headers: Readonly<Record<string, string>> = {},
): Reply {
  return {
    status: PROBLEMS[problem.slug].status,
    headers: {
      'Content-Type': 'application/problem+json',
      'Cache-Control': 'no-store',
      ...(problem.retryAfterMs !== undefined && {
        'Retry-After': String(Math.ceil(problem.retryAfterMs / 1_000)),
      }),
      ...headers,
    },
    body: jsonText(problemBody(problem, instance)),
  };
}

/** Adds headers to a reply. */
export function withHeaders(reply: Reply, headers: Readonly<Record<string, string>>): Reply {
  return { ...reply, headers: { ...reply.headers, ...headers } };
}

const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  204: 'No Content',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  410: 'Gone',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

/** `404 Not Found`. */
export function statusLine(status: number): string {
  return `${status} ${REASONS[status] ?? 'Status'}`;
}
