/**
 * `playwarden command …`: the parent's side for people without a phone program. Each subcommand is one command of
 * contract section 7, sent through the API with the token that this account may read.
 */

import { EXIT, type ExitCode } from '../protocol/exit-codes.ts';
import type { ChildStatus } from '../protocol/http-answers.ts';
import { askAgent, type DataDirOption } from './running-agent.ts';

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
  const answer = await askAgent(options, (api, signal) =>
    api.command(
      {
        command: name,
        command_id: crypto.randomUUID(),
        parameters: { ...parameters, ...(options.game !== undefined && { game: options.game }) },
        ...(options.child !== undefined && { child_profile: options.child }),
      },
      signal,
    ),
  );
  console.log(options.json ? JSON.stringify(answer, null, 2) : describe(name, answer.result));
  return answer.status === 'success' ? EXIT.ok : EXIT.failed;
}

function describe(name: string, result: unknown): string {
  if (name === 'force_close') return describeClose(result);
  return isStatus(result) ? describeStatus(result) : JSON.stringify(result, null, 2);
}

/** What changes a limit or a pause answers with the child as it then stands. */
function isStatus(result: unknown): result is ChildStatus {
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
export function describeStatus(status: ChildStatus): string {
  const left = status.remaining_minutes;
  const by = status.limited_by ? ` (by the ${status.limited_by})` : '';
  return [
    status.playing ? `Playing ${status.game}.` : 'Not playing.',
    `Used today: ${minutes(status.used_minutes_today)}.`,
    left === null ? 'No limit applies now.' : `Left: ${minutes(left)}${by}.`,
    ...(status.paused_until ? [`Paused until ${status.paused_until}.`] : []),
  ].join('\n');
}

function minutes(value: number): string {
  return `${Math.round(value)} min`;
}
