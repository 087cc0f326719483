/**
 * A command until there is an answer (contract K2): what is lost with a connection or a restart of the agent is asked
 * for again under the same `command_id`, so that it is carried out once. Knows nothing of events or transports.
 */
import { COMMAND_ALIASES, type CommandAnswer } from '../protocol/commands.ts';
import type { Clock } from '../protocol/ports.ts';
import { type AgentApi, AgentError, type CommandRequest } from './agent-api.ts';
import { TimeoutError, within } from './deadline.ts';

/** The longest `close_wait_seconds` (300), and 10 s for the forced close and its verification, ms. */
export const COMMAND_TIMEOUT_MS = 310_000;
/** What only looks is answered at once, ms. */
const LOOK_TIMEOUT_MS = 15_000;
/** What changes a rule waits for the disk, and for a session actor that restarts, ms. */
const CHANGE_TIMEOUT_MS = 30_000;
/** An agent that restarts is back within this, ms. */
const INSIST_MS = 30_000;
const PAUSE_MS = 500;

/** Nobody answered: whether the command was carried out is not known, and asking again under its id is safe. */
export class UnansweredError extends Error {
  /** null: it was signed, and its id stands in the signed text. */
  readonly commandId: string | null;

  constructor(message: string, commandId: string | null) {
    super(message);
    this.name = 'UnansweredError';
    this.commandId = commandId;
  }
}

export interface CommandHost {
  readonly api: Pick<AgentApi, 'command'>;
  readonly clock: Pick<Clock, 'monotonic' | 'after'>;
  /** The connection was closed: nothing is repeated any more. */
  stopped(): boolean;
}

/** Rejects with AgentError when the agent refuses, with UnansweredError when it does not answer. */
export async function commandUntilAnswered(
  { api, clock, stopped }: CommandHost,
  request: CommandRequest,
): Promise<CommandAnswer> {
  const body = 'jws' in request ? request : { ...request, command_id: request.command_id ?? newId() };
  const commandId = 'jws' in body ? null : body.command_id;
  const ms = timeoutOf(request);
  /** Counted from the first failure: a close may take minutes before its answer is lost. */
  let until: number | null = null;
  for (;;) {
    try {
      return await within(clock, ms, (signal) => api.command(body, signal));
    } catch (error) {
      until ??= clock.monotonic() + INSIST_MS;
      const final = error instanceof TimeoutError || (error instanceof AgentError && error.status < 500);
      const pause = Math.max(PAUSE_MS, retryAfterMs(error));
      if (final || stopped() || clock.monotonic() + pause > until) throw rejectionOf(error, commandId);
      await new Promise<void>((resolve) => clock.after(pause, resolve));
    }
  }
}

/** How long the answer to a command may take. A signed one may be a close. */
export function timeoutOf(request: CommandRequest): number {
  if ('jws' in request) return COMMAND_TIMEOUT_MS;
  const name = COMMAND_ALIASES[request.command] ?? request.command;
  if (name === 'force_close') return COMMAND_TIMEOUT_MS;
  return name === 'get_live_status' ? LOOK_TIMEOUT_MS : CHANGE_TIMEOUT_MS;
}

function rejectionOf(error: unknown, commandId: string | null): AgentError | UnansweredError {
  if (error instanceof AgentError) return new AgentError(error.status, error.problem, commandId);
  const why = error instanceof Error ? error.message : String(error);
  if (!(error instanceof TimeoutError)) return new UnansweredError(why, commandId);
  return new UnansweredError(`${why}: the command is still under way`, commandId);
}

const newId = () => globalThis.crypto.randomUUID();

const retryAfterMs = (error: unknown) =>
  (error instanceof AgentError ? error.problem?.retry_after_ms : undefined) ?? 0;
