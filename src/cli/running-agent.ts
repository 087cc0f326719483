/** The agent that runs on a data directory: what every command that talks to one begins with. */
import type * as z from 'zod/mini';
import { defaultDataDir } from '../app/data-dir.ts';
import { VERSION } from '../app/version.ts';
import { AgentApi, AgentError } from '../client/agent-api.ts';
import { TimeoutError, within } from '../client/deadline.ts';
import { type AgentFile, findAgent, findEndpoint } from '../client/discover.ts';
import { nodeFetch } from '../client/node-fetch.ts';
import { NotRunningError } from '../client/not-running.ts';
import { EXIT, UserError } from '../protocol/exit-codes.ts';

export interface DataDirOption {
  readonly dataDir?: string;
}

const REQUEST_MS = 15_000;
const clock = {
  after: (ms: number, fn: () => void) => {
    const timer = setTimeout(fn, ms);
    return () => clearTimeout(timer);
  },
};

/** What the agent says of itself. Throws UserError 69 when none runs. */
export async function runningAgent(options: DataDirOption): Promise<AgentFile> {
  const dir = options.dataDir ?? defaultDataDir();
  return findAgent(dir).catch((error) => {
    if (!(error instanceof NotRunningError)) throw error;
    const mend = error.hidden ? 'Ask as the account of the agent' : 'Name its --data-dir, or start one';
    throw new UserError(EXIT.cannotServe, `No agent to talk to: ${error.message}. ${mend}.`);
  });
}

interface Asking {
  readonly timeoutMs?: number;
  /** What there is to say when no answer came in time. */
  readonly late?: string;
}

/** Asks the running agent something, for so long; what goes wrong becomes one sentence and an exit code. */
export async function askAgent<T>(
  options: DataDirOption,
  form: z.ZodMiniType,
  request: (api: AgentApi, signal: AbortSignal) => Promise<T>,
  { timeoutMs = REQUEST_MS, late = '' }: Asking = {},
): Promise<T> {
  const agent = await runningAgent(options);
  const resolve = () => findEndpoint(options.dataDir ?? defaultDataDir());
  // Not fetch(): that gives up by itself after 300 s, and a close may take longer.
  const api = new AgentApi(nodeFetch, resolve, 'command-line');
  try {
    const answer = await within(clock, timeoutMs, (signal) => request(api, signal));
    const problem = misunderstood(form, answer, agent);
    if (problem === null) return answer;
    throw new UserError(EXIT.cannotServe, `The agent cannot be understood: ${problem}.`);
  } catch (error) {
    if (error instanceof UserError) throw error;
    if (error instanceof AgentError)
      throw new UserError(EXIT.failed, `The agent refused: ${describe(error)}`);
    if (error instanceof TimeoutError)
      throw new UserError(
        EXIT.cannotServe,
        `The agent did not answer within ${timeoutMs / 1_000} s${late && `: ${late}`}.`,
      );
    throw new UserError(
      EXIT.cannotServe,
      `The agent did not answer: ${error instanceof Error ? error.message : error}`,
    );
  }
}

/** Why an answer is none that this program reads, with what mends it; null: it is one. */
export function misunderstood(form: z.ZodMiniType, answer: unknown, { version }: AgentFile): string | null {
  if (form.safeParse(answer).success) return null;
  return `it is of version ${version} and answers in another form than this program, of version ${VERSION}, reads: restart it with this program`;
}

function describe(error: AgentError): string {
  const fields = error.problem?.errors?.map((e) => `${e.path}: ${e.message}`) ?? [];
  return [error.message, ...fields].join('\n');
}
