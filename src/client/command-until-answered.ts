/**
 * A command until there is an answer (contract K2): asked for again under the same `command_id`, so that it is carried
 * out once.
 */
import { COMMAND_ALIASES, type CommandAnswer } from '../protocol/commands.ts';
import { type AgentApi, AgentError, type CommandRequest } from './agent-api.ts';
import { TimeoutError } from './deadline.ts';
import { type AnswerHost, UnansweredError, untilAnswered } from './until-answered.ts';

/** The longest `close_wait_seconds` (300), and 10 s for the forced close and its verification, ms. */
export const COMMAND_TIMEOUT_MS = 310_000;
/** What only looks is answered at once, ms. */
const LOOK_TIMEOUT_MS = 15_000;
/** What changes a rule waits for the disk, and for a session actor that restarts, ms. */
const CHANGE_TIMEOUT_MS = 30_000;

export interface CommandHost extends AnswerHost {
  readonly api: Pick<AgentApi, 'command'>;
}

/** Rejects with AgentError when the agent refuses, with UnansweredError when it does not answer. */
export async function commandUntilAnswered(
  host: CommandHost,
  request: CommandRequest,
): Promise<CommandAnswer> {
  const body = 'jws' in request ? request : { ...request, command_id: request.command_id ?? newId() };
  const commandId = 'jws' in body ? null : body.command_id;
  const patience = { ms: timeoutOf(request), repeatLate: false };
  try {
    return await untilAnswered(host, patience, (signal) => host.api.command(body, signal));
  } catch (error) {
    throw rejectionOf(error, commandId);
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
  return new UnansweredError(`${why}: the command may be under way, or never have reached it`, commandId);
}

const newId = () => globalThis.crypto.randomUUID();
