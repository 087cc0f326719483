/** `playwarden token rotate`: new tokens in the data directory; a running agent takes them and drops the old. */

import { pidLives, readAgentFile } from '../app/agent-file.ts';
import { defaultDataDir, prepareDataDir } from '../app/data-dir.ts';
import { rotateTokens } from '../app/tokens.ts';
import { EXIT, type ExitCode } from '../protocol/exit-codes.ts';
import type { DataDirOption } from './running-agent.ts';

export async function rotate(options: DataDirOption): Promise<ExitCode> {
  const dir = await prepareDataDir(options.dataDir ?? defaultDataDir());
  rotateTokens(dir);
  const agent = readAgentFile(dir);
  if (agent && pidLives(agent.pid) && process.platform !== 'win32') process.kill(agent.pid, 'SIGHUP');
  console.log(`New tokens stand in ${dir}: give them to your clients.`);
  return EXIT.ok;
}
