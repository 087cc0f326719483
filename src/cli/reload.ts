/** `playwarden reload`: asks the running agent to read its configuration again. */
import { EXIT, type ExitCode, UserError } from '../protocol/exit-codes.ts';
import { type DataDirOption, runningAgent } from './running-agent.ts';

export function reload(options: DataDirOption): ExitCode {
  const agent = runningAgent(options);
  if (process.platform === 'win32') {
    throw new UserError(
      EXIT.failed,
      'Windows knows no reload signal: restart the Playwarden service instead.',
    );
  }
  try {
    process.kill(agent.pid, 'SIGHUP');
  } catch {
    throw new UserError(
      EXIT.failed,
      `The agent (pid ${agent.pid}) belongs to another account: run this as that account.`,
    );
  }
  return EXIT.ok;
}
