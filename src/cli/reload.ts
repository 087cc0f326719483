/** `playwarden reload`: asks the running agent to read its configuration again. */
import { EXIT, type ExitCode, UserError } from '../protocol/exit-codes.ts';
import { type DataDirOption, runningAgent } from './running-agent.ts';

export async function reload(options: DataDirOption): Promise<ExitCode> {
  const { pid } = await runningAgent(options);
  if (process.platform === 'win32') {
    throw new UserError(
      EXIT.failed,
      'Windows knows no reload signal: restart the Playwarden service instead.',
    );
  }
  try {
    process.kill(pid, 'SIGHUP');
  } catch {
    throw new UserError(
      EXIT.failed,
      `The agent (pid ${pid}) belongs to another account: run this as that account.`,
    );
  }
  return EXIT.ok;
}
