/**
 * Makes a running agent read its configuration again and finds out what came of it (contract C4). The signal carries no
 * answer, so the status is asked before it and after it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { AgentApi, AgentError } from '../client/agent-api.ts';
import { type AgentFile, findEndpoint } from '../client/discover.ts';
import { nodeFetch } from '../client/node-fetch.ts';
import { NotRunningError } from '../client/not-running.ts';
import { EXIT, UserError } from '../protocol/exit-codes.ts';
import { type ConfigurationStatus, configurationStatus } from '../protocol/http-answers.ts';

/** How long a running agent may take to say what came of it, ms. */
export const RELOAD_MS = 10_000;
const LOOK_EVERY_MS = 100;
/** Answers to a token that the agent does not have yet: it reads its tokens again too (contract S4). */
const TOKEN_REFUSED = new Set([401, 429]);

export type ReloadOutcome =
  | { readonly kind: 'taken'; readonly notReloaded: readonly string[] }
  | { readonly kind: 'refused'; readonly refusal: NonNullable<ConfigurationStatus['refused']> }
  /** It was told; this account may not ask what came of it. */
  | { readonly kind: 'hidden' }
  /** It did not answer in time. */
  | { readonly kind: 'late' }
  /** It was told; it does not answer what came of it, as an older version does not. */
  | { readonly kind: 'mute' };

/** Throws UserError 1 when this account may not signal the agent. */
export async function reloadAgent(
  dataDir: string,
  { pid }: AgentFile,
  withinMs = RELOAD_MS,
): Promise<ReloadOutcome> {
  const end = AbortSignal.timeout(withinMs);
  const api = new AgentApi(nodeFetch, () => findEndpoint(dataDir), 'command-line');
  const before = await reloadsOf(api, end);
  try {
    process.kill(pid, 'SIGHUP');
  } catch {
    throw new UserError(
      EXIT.failed,
      `The agent (pid ${pid}) belongs to another account: run this as that account.`,
    );
  }
  if (typeof before !== 'number') return { kind: before };
  while (!end.aborted) {
    const now = await configurationOf(api, end).catch(() => null);
    if (now && now.reloads > before && !now.reloading)
      return now.refused
        ? { kind: 'refused', refusal: now.refused }
        : { kind: 'taken', notReloaded: now.not_reloaded };
    await sleep(LOOK_EVERY_MS);
  }
  return { kind: 'late' };
}

/** How often it was reloaded before; a text: that cannot be had, and so the outcome cannot either. */
async function reloadsOf(api: AgentApi, signal: AbortSignal): Promise<number | 'hidden' | 'late' | 'mute'> {
  try {
    return (await configurationOf(api, signal)).reloads;
  } catch (error) {
    if (error instanceof NotRunningError) return 'hidden';
    // It takes this token by the reload itself: whatever it then answers comes after that.
    if (error instanceof AgentError && TOKEN_REFUSED.has(error.status)) return 0;
    return signal.aborted ? 'late' : 'mute';
  }
}

async function configurationOf(api: AgentApi, signal: AbortSignal): Promise<ConfigurationStatus> {
  return configurationStatus.parse((await api.status(signal)).agent?.configuration);
}

/** A refusal in words, a problem a line. */
export function refusalText({
  file,
  problems,
  problems_left_out: more,
}: NonNullable<ConfigurationStatus['refused']>): string {
  const lines = problems.map(({ path, message }) => `${path}: ${message}`);
  if (more) lines.push(`and ${more} more: playwarden config check ${file}`);
  return [`The agent refused ${file}; the last good configuration stays in force:`, ...lines].join('\n');
}
