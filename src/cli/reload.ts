/** `playwarden reload`: asks the running agent to read its configuration again, and says what came of it (contract C4). */
import { defaultDataDir } from '../app/data-dir.ts';
import { EXIT, type ExitCode, UserError } from '../protocol/exit-codes.ts';
import { RELOAD_MS, refusalText, reloadAgent } from './reload-agent.ts';
import { type DataDirOption, runningAgent } from './running-agent.ts';

/** 0 when it is in force (or when this account may not ask), 69 when nobody says, 78 when it was refused. */
export async function reload(options: DataDirOption): Promise<ExitCode> {
  const agent = await runningAgent(options);
  if (process.platform === 'win32') {
    throw new UserError(
      EXIT.failed,
      'Windows knows no reload signal: restart the Playwarden service instead.',
    );
  }
  const outcome = await reloadAgent(options.dataDir ?? defaultDataDir(), agent);
  switch (outcome.kind) {
    case 'taken':
      console.log('reloaded');
      if (outcome.notReloaded.length > 0)
        console.log(`${outcome.notReloaded.join(' and ')} cannot be reloaded: restart the agent for that.`);
      return EXIT.ok;
    case 'refused':
      throw new UserError(EXIT.config, refusalText(outcome.refusal));
    case 'hidden':
      console.log(
        `The agent (pid ${agent.pid}) was told. This account may not read its tokens: what came of it stands in its log.`,
      );
      return EXIT.ok;
    case 'mute':
      throw new UserError(
        EXIT.cannotServe,
        `The agent (pid ${agent.pid}) was told, but does not say what came of it, as one of an older version does not: its log does.`,
      );
    case 'late': {
      const said = `The agent (pid ${agent.pid}) was told, but did not say within ${RELOAD_MS / 1_000} s what came of it`;
      throw new UserError(
        EXIT.cannotServe,
        `${said}: "playwarden doctor" looks what is wrong, its log says more.`,
      );
    }
  }
}
