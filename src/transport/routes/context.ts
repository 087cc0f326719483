/** What the routes are made of, and the two helpers that all of them use. */
import type * as z from 'zod/mini';
import { DEFAULT_CLIENT } from '../../protocol/http.ts';
import type { AgentDesk, Answer, ClientStore, Clock, EventLog, SyncStore } from '../../protocol/ports.ts';
import type { Position } from '../../protocol/position.ts';
import { type Problem, problem } from '../../protocol/problems.ts';
import { fieldErrors } from '../../protocol/schema-errors.ts';
import { ClientFeed } from '../client-feed.ts';
import { problemReply, type Reply, success } from '../http-message.ts';
import type { Hub } from '../hub.ts';
import type { PollAdapter } from '../poll-adapter.ts';
import type { RouteRequest } from '../router.ts';

export interface RouteContext {
  readonly port: () => number;
  readonly log: EventLog;
  readonly clients: ClientStore;
  readonly sync: SyncStore;
  readonly desk: AgentDesk;
  readonly clock: Clock;
  readonly hub: Hub;
  readonly polls: PollAdapter;
  readonly transports: () => {
    readonly websocketEnabled: boolean;
    readonly pollingEnabled: boolean;
    readonly pollIntervalSeconds: number;
  };
}

/** How long an ordinary handler may take, ms. */
export const ROUTE_DEADLINE_MS = 10_000;

/** Checks a body or a query and goes on with it; 422 with every problem otherwise. */
export function checked<T>(
  request: RouteRequest,
  input: unknown,
  schema: z.ZodMiniType<T>,
  then: (value: T) => Reply | Promise<Reply>,
): Reply | Promise<Reply> {
  const result = schema.safeParse(input);
  if (result.success) return then(result.data);
  const errors = fieldErrors(result.error.issues);
  return refused(request, problem('schema-mismatch', 'The request does not fit its schema.', { errors }));
}

export function refused(request: RouteRequest, reason: Problem): Reply {
  return problemReply(reason, request.path);
}

/** An answer of the desk as a reply. */
export function answered<T extends object>(request: RouteRequest, answer: Answer<T>, clock: Clock): Reply {
  return answer.ok ? success(clock.wall(), answer.value) : refused(request, answer.problem);
}

/** Where a client stands without being opened: looking remembers nobody. */
export function standing(
  { log, clients }: Pick<RouteContext, 'log' | 'clients'>,
  clientId: string | undefined,
): Position {
  return new ClientFeed(clientId ?? DEFAULT_CLIENT, log, clients).position();
}
