/**
 * `playwarden command …`: the parent's side for people without a phone program. Each subcommand is one command of
 * contract section 7, sent through the API with the token that this account may read.
 */
import type * as z from 'zod/mini';
import { timeoutOf } from '../client/command-until-answered.ts';
import { commandAnswer } from '../protocol/commands.ts';
import { EXIT, type ExitCode } from '../protocol/exit-codes.ts';
import type { ChildStatus, standing } from '../protocol/http-answers.ts';
import { askAgent, type DataDirOption } from './running-agent.ts';

type Standing = z.infer<typeof standing>;

export interface CommandOptions extends DataDirOption {
  readonly child?: string;
  readonly game?: string;
  readonly json?: boolean;
}

/** Sends it and prints what came of it; 0 when it worked, 1 when it was carried out and failed. */
export async function command(
  name: string,
  parameters: Readonly<Record<string, unknown>>,
  options: CommandOptions,
): Promise<ExitCode> {
  const body = {
    command: name,
    command_id: crypto.randomUUID(),
    parameters: { ...parameters, ...(options.game !== undefined && { game: options.game }) },
    ...(options.child !== undefined && { child_profile: options.child }),
  };
  const answer = await askAgent(options, commandAnswer, (api, signal) => api.command(body, signal), {
    timeoutMs: timeoutOf(body),
    late: name === 'get_live_status' ? '' : 'the command may still be carried out',
  });
  console.log(options.json ? JSON.stringify(answer, null, 2) : describe(name, answer.result));
  return answer.status === 'success' ? EXIT.ok : EXIT.failed;
}

function describe(name: string, result: unknown): string {
  if (isFailure(result)) return result.problem.detail;
  if (name === 'force_close') return describeClose(result);
  return isStatus(result) ? describeStatus(result) : JSON.stringify(result, null, 2);
}

/** Of a command that failed before it reached anything. */
function isFailure(result: unknown): result is { readonly problem: { readonly detail: string } } {
  const { problem } = (result ?? {}) as { readonly problem?: { readonly detail?: unknown } | null };
  return typeof problem?.detail === 'string';
}

/** What changes a limit or a pause answers with how the child then stands. */
function isStatus(result: unknown): result is ChildStatus | Standing {
  return typeof result === 'object' && result !== null && 'used_minutes_today' in result;
}

function describeClose(result: unknown): string {
  const { processes } = result as {
    processes: { pid: number; name: string; outcome: string; error?: string }[];
  };
  if (processes.length === 0) return 'Nothing was running.';
  const words: Record<string, string> = {
    closed: 'closed',
    not_running: 'was gone already',
    denied: 'could not be closed: the system refused',
    failed: 'could not be closed',
  };
  return processes
    .map((p) => `${p.name} (pid ${p.pid}) ${words[p.outcome] ?? p.outcome}${p.error ? `: ${p.error}` : ''}`)
    .join('\n');
}

/** The child's state as a few lines for a person. */
export function describeStatus(status: ChildStatus | Standing): string {
  const left = status.remaining_minutes;
  const by = status.limited_by ? ` (by the ${status.limited_by})` : '';
  return [
    status.playing ? playing(status) : 'Not playing.',
    `Used today: ${minutes(status.used_minutes_today)}.`,
    left === null ? 'No limit applies now.' : `Left: ${minutes(left)}${by}.`,
    ...(status.paused_until ? [`Paused until ${status.paused_until}.`] : []),
  ].join('\n');
}

/** Which game it is stands in the status only: in the answer to a command `game` is what the command was about. */
function playing(status: ChildStatus | Standing): string {
  return 'session_id' in status && status.game ? `Playing ${status.game}.` : 'Playing.';
}

function minutes(value: number): string {
  return `${Math.round(value)} min`;
}
