/** Finds the agent that runs on a data directory: what every command that talks to one begins with. */
import { type AgentFile, pidLives, readAgentFile } from '../app/agent-file.ts';
import { defaultDataDir } from '../app/data-dir.ts';
import { EXIT, UserError } from '../protocol/exit-codes.ts';

export interface DataDirOption {
  readonly dataDir?: string;
}

/** The running agent of this data directory. Throws UserError when there is none. */
export function runningAgent(options: DataDirOption): AgentFile {
  const dir = options.dataDir ?? defaultDataDir();
  const agent = readAgentFile(dir);
  if (!agent || !pidLives(agent.pid)) {
    throw new UserError(
      EXIT.cannotServe,
      `No agent runs on ${dir}: start one with "playwarden run", or name its --data-dir.`,
    );
  }
  return agent;
}
