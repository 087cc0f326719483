/** `playwarden token rotate`: new tokens in the data directory; a running agent takes them and drops the old. */
import { rotateTokens } from '../app/tokens.ts';
import { findAgent } from '../client/discover.ts';
import { EXIT, type ExitCode } from '../protocol/exit-codes.ts';
import { ownDataDir } from './own-data-dir.ts';
import type { DataDirOption } from './running-agent.ts';

export async function rotate(options: DataDirOption): Promise<ExitCode> {
  const dir = await ownDataDir(options);
  const agent = await findAgent(dir).catch(() => null);
  rotateTokens(dir);
  const told = agent !== null && process.platform !== 'win32';
  if (told) process.kill(agent.pid, 'SIGHUP');
  const hint = agent && !told ? ' Restart the agent: it still takes the old ones.' : '';
  console.log(`New tokens stand in ${dir}: give them to your clients.${hint}`);
  return EXIT.ok;
}
