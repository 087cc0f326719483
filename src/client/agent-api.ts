/**
 * The agent's HTTP routes as functions: one request each, its answer or an `AgentError`. Knows nothing of
 * transports, retries or positions.
 */
import type * as z from 'zod/mini';
import type { CommandAnswer } from '../protocol/commands.ts';
import type { HTTP_ANSWERS, RouteName } from '../protocol/http-answers.ts';
import type { Position } from '../protocol/position.ts';
import type { ProblemBody } from '../protocol/problems.ts';
import type { Fetch, ResolveEndpoint } from './ports.ts';

/** The agent answered and said no, or what answered is not an agent. */
export class AgentError extends Error {
  readonly status: number;
  /** The agent's own words; null when the answer was not problem+json. */
  readonly problem: ProblemBody | null;
  /** Of the command that was refused; null: it was none, or a signed one. */
  readonly commandId: string | null;

  constructor(status: number, problem: ProblemBody | null, commandId: string | null = null) {
    super(
      problem?.detail ?? (status === 200 ? 'what answers is not an agent' : `the agent answered ${status}`),
    );
    this.name = 'AgentError';
    this.status = status;
    this.problem = problem;
    this.commandId = commandId;
  }

  /** `urn:playwarden:problem:<slug>` → the slug. */
  get slug(): string | null {
    return this.problem?.type.split(':').at(-1) ?? null;
  }
}

/** A command as contract section 7 has it, or one that a parent's phone signed. */
export type CommandRequest =
  | {
      readonly command: string;
      readonly child_profile?: string;
      readonly parameters?: Readonly<Record<string, unknown>>;
      readonly command_id?: string;
      readonly expires_at?: string;
    }
  | { readonly jws: string };

type AnswerOf<R extends RouteName> = Readonly<z.infer<(typeof HTTP_ANSWERS)[R]>>;

export type ConnectAnswer = AnswerOf<'POST /desktop/connect'>;
export type PollAnswer = AnswerOf<'GET /desktop/events/poll'>;
/** GET /desktop/status. */
export type AgentStatus = AnswerOf<'GET /desktop/status'>;
export type ConfirmAnswer = AnswerOf<'POST /sync/confirm'>;
export type UsageDay = AnswerOf<'GET /desktop/usage'>['days'][number];

interface Request {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
  readonly signal: AbortSignal;
}

export class AgentApi {
  readonly #fetch: Fetch;
  readonly #resolve: ResolveEndpoint;
  readonly #clientId: string;

  constructor(fetch: Fetch, resolve: ResolveEndpoint, clientId: string) {
    this.#fetch = fetch;
    this.#resolve = resolve;
    this.#clientId = clientId;
  }

  connect(signal: AbortSignal, clientVersion?: string): Promise<ConnectAnswer> {
    const body = { client_id: this.#clientId, client_version: clientVersion };
    return this.#ask<ConnectAnswer>({ method: 'POST', path: '/desktop/connect', body, signal });
  }

  /** `after` null: nothing was ever acknowledged. `waitSeconds` holds the answer until there is something to return. */
  poll(after: Position | null, limit: number, waitSeconds: number, signal: AbortSignal): Promise<PollAnswer> {
    const query = {
      client_id: this.#clientId,
      after: after?.offset ?? 0,
      epoch: after?.epoch,
      limit,
      wait: waitSeconds || undefined,
    };
    return this.#ask<PollAnswer>({ method: 'GET', path: '/desktop/events/poll', query, signal });
  }

  status(signal: AbortSignal): Promise<AgentStatus> {
    const query = { client_id: this.#clientId };
    return this.#ask<AgentStatus>({ method: 'GET', path: '/desktop/status', query, signal });
  }

  usage(
    query: { readonly child?: string; readonly from?: string; readonly to?: string },
    signal: AbortSignal,
  ): Promise<AnswerOf<'GET /desktop/usage'>> {
    return this.#ask({ method: 'GET', path: '/desktop/usage', query, signal });
  }

  confirm(sessionId: string, success: boolean, signal: AbortSignal): Promise<ConfirmAnswer> {
    const body = { session_id: sessionId, success };
    return this.#ask<ConfirmAnswer>({ method: 'POST', path: '/sync/confirm', body, signal });
  }

  command(body: CommandRequest, signal: AbortSignal): Promise<CommandAnswer> {
    return this.#ask<CommandAnswer>({ method: 'POST', path: '/desktop/command', body, signal });
  }

  async #ask<T>(request: Request): Promise<T> {
    const { url, token } = await this.#resolve();
    const query = Object.entries(request.query ?? {})
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`)
      .join('&');
    const answer = await this.#fetch(`${url}${request.path}${query && `?${query}`}`, {
      method: request.method,
      headers: {
        Authorization: `Bearer ${token}`,
        ...(request.body !== undefined && { 'Content-Type': 'application/json' }),
      },
      ...(request.body !== undefined && { body: JSON.stringify(request.body) }),
      signal: request.signal,
    });
    const body = parse(await answer.text());
    if (answer.status !== 200 || body === null) throw new AgentError(answer.status, problemOf(body));
    return body as T;
  }
}

function parse(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}

function problemOf(body: object | null): ProblemBody | null {
  const { type, detail } = (body ?? {}) as Readonly<Record<string, unknown>>;
  return typeof type === 'string' && typeof detail === 'string' ? (body as ProblemBody) : null;
}
