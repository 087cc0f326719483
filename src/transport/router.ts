/**
 * From an admitted request to its route: 404, 405, size, media type, JSON, in the order of contract S6. Then the
 * route's own handler, which checks its schema, under a deadline.
 */
import { HTTP_LIMITS } from '../protocol/http.ts';
import type { Clock, Role } from '../protocol/ports.ts';
import { type Problem, problem } from '../protocol/problems.ts';
import { header, type IncomingRequest, problemReply, type Reply, type RequestHead } from './http-message.ts';
import { parseJsonBytes } from './json-text.ts';
import type { Turns } from './turns.ts';

/** What a handler sees of a request. */
export interface RouteRequest {
  /** null on the route that needs no token. */
  readonly role: Role | null;
  readonly path: string;
  /** Of a key that comes more than once, the last value. */
  readonly query: Readonly<Record<string, string>>;
  /** Parsed JSON; `{}` where none came and none is required. */
  readonly body: unknown;
  onAbort(fn: () => void): void;
}

export type RouteHandler = (request: RouteRequest) => Reply | Promise<Reply>;

export interface Route {
  readonly path: string;
  readonly method: 'GET' | 'POST';
  readonly body: 'none' | 'optional' | 'required';
  /** How long the handler may take, ms; then 503. */
  readonly deadlineMs: number;
  /** What it answers takes some ms to write: many that come together are answered over several turns, the rest between. */
  readonly inTurns?: true;
  readonly handler: RouteHandler;
}

export async function route(
  request: IncomingRequest,
  role: Role | null,
  routes: readonly Route[],
  clock: Clock,
  turns: Turns,
): Promise<Reply> {
  const { head } = request;
  const here = routes.filter((r) => r.path === head.path);
  if (here.length === 0) return problemReply(problem('not-found', 'No route has this path.'), head.path);
  const found = here.find((r) => r.method === head.method);
  if (!found) {
    const allowed = here.map((r) => r.method).join(', ');
    const refusal = problem('method-not-allowed', `This route takes ${allowed}.`);
    return problemReply(refusal, head.path, { Allow: allowed });
  }
  const read =
    found.body === 'none' ? { ok: true as const, body: undefined } : await readBody(request, found);
  if (!read.ok) return problemReply(read.problem, head.path);
  const query = Object.fromEntries(new URLSearchParams(head.query));
  const { onAbort } = request;
  const handle = (): Reply | Promise<Reply> => {
    const reply = found.handler({ role, path: head.path, query, body: read.body, onAbort });
    return reply instanceof Promise ? withDeadline(reply, found.deadlineMs, head.path, clock) : reply;
  };
  if (!found.inTurns) return handle();
  let left = false;
  onAbort(() => {
    left = true;
  });
  return turns.run(
    () => (left ? problemReply(LEFT, head.path) : handle()),
    () => problemReply(CHANGED, head.path),
  );
}

const CHANGED = problem(
  'unavailable',
  'Who may ask changed while this request waited for its turn: send it again.',
  {
    retryAfterMs: 1,
  },
);
const LEFT = problem('bad-request', 'The client left before it was answered.');

type ReadBody =
  | { readonly ok: true; readonly body: unknown }
  | { readonly ok: false; readonly problem: Problem };

async function readBody(request: IncomingRequest, { body: need }: Route): Promise<ReadBody> {
  if ((request.head.headers.get('content-length')?.length ?? 0) > 1) {
    return refuse(problem('bad-request', 'Content-Length came more than once.'));
  }
  const result = await request.body(HTTP_LIMITS.maxBodyBytes);
  if (result.kind === 'too-large') return refuse(problem('too-large', 'At most 65,536 bytes are taken.'));
  if (result.kind === 'aborted') return refuse(LEFT);
  const empty = result.bytes.length === 0;
  if (!mediaTypeFits(request.head, empty)) {
    return refuse(problem('media-type', 'Send the body as "Content-Type: application/json".'));
  }
  if (empty && need === 'optional') return { ok: true, body: {} };
  const parsed = parseJsonBytes(result.bytes);
  if (!parsed.ok) return refuse(problem('bad-json', `The body cannot be read: ${parsed.reason}.`));
  return { ok: true, body: parsed.value };
}

/** `application/json`, with UTF-8 as its charset if any; nothing at all only where there is no body. */
function mediaTypeFits(head: RequestHead, empty: boolean): boolean {
  if (head.headers.has('content-encoding')) return false;
  if (!head.headers.has('content-type')) return empty;
  const type = header(head, 'content-type') ?? '';
  return /^application\/json\s*(;\s*charset="?utf-8"?\s*)?;?$/i.test(type.trim());
}

function refuse(reason: Problem): { readonly ok: false; readonly problem: Problem } {
  return { ok: false, problem: reason };
}

/** Settles always: a handler that does not answer in time is answered for. */
function withDeadline(reply: Promise<Reply>, ms: number, path: string, clock: Clock): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const stop = clock.after(ms, () => {
      const late = problem('unavailable', 'The agent did not answer in time.', { retryAfterMs: 1_000 });
      resolve(problemReply(late, path));
    });
    reply.then(resolve, reject).finally(stop);
  });
}
