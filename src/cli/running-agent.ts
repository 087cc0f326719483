/** The agent that runs on a data directory: what every command that talks to one begins with. */
import { defaultDataDir } from '../app/data-dir.ts';
import { AgentApi, AgentError } from '../client/agent-api.ts';
import { TimeoutError, within } from '../client/deadline.ts';
import { type AgentFile, findAgent, findEndpoint, NotRunningError } from '../client/discover.ts';
import { nodeFetch } from '../client/node-fetch.ts';
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

/**
 * Asks the running agent something, for so long; what goes wrong becomes one sentence and an exit code. `late` is
 * what there is to say when no answer came in time.
 */
export async function askAgent<T>(
  options: DataDirOption,
  request: (api: AgentApi, signal: AbortSignal) => Promise<T>,
  { timeoutMs = REQUEST_MS, late = '' }: { readonly timeoutMs?: number; readonly late?: string } = {},
): Promise<T> {
  await runningAgent(options);
  const resolve = () => findEndpoint(options.dataDir ?? defaultDataDir());
  // Not fetch(): that gives up by itself after 300 s, and a close may take longer.
  const api = new AgentApi(nodeFetch, resolve, 'command-line');
  try {
    return await within(clock, timeoutMs, (signal) => request(api, signal));
  } catch (error) {
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

function describe(error: AgentError): string {
  const fields = error.problem?.errors?.map((e) => `${e.path}: ${e.message}`) ?? [];
  return [error.message, ...fields].join('\n');
}
