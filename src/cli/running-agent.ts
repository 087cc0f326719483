/** The agent that runs on a data directory: what every command that talks to one begins with. */
import { defaultDataDir } from '../app/data-dir.ts';
import { AgentApi, AgentError } from '../client/agent-api.ts';
import { type AgentFile, findAgent, findEndpoint, NotRunningError } from '../client/discover.ts';
import { EXIT, UserError } from '../protocol/exit-codes.ts';

export interface DataDirOption {
  readonly dataDir?: string;
}

const REQUEST_MS = 15_000;

/** What the agent says of itself. Throws UserError 69 when none runs. */
export async function runningAgent(options: DataDirOption): Promise<AgentFile> {
  const dir = options.dataDir ?? defaultDataDir();
  return findAgent(dir).catch((error) => {
    if (!(error instanceof NotRunningError)) throw error;
    throw new UserError(
      EXIT.cannotServe,
      `No agent to talk to: ${error.message}. Name its --data-dir, or start one.`,
    );
  });
}

/** Asks the running agent something; what goes wrong becomes one sentence and an exit code. */
export async function askAgent<T>(
  options: DataDirOption,
  request: (api: AgentApi, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  await runningAgent(options);
  const resolve = () => findEndpoint(options.dataDir ?? defaultDataDir());
  const api = new AgentApi((url, init) => fetch(url, init), resolve, 'command-line');
  try {
    return await request(api, AbortSignal.timeout(REQUEST_MS));
  } catch (error) {
    if (error instanceof AgentError)
      throw new UserError(EXIT.failed, `The agent refused: ${describe(error)}`);
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
