/** `playwarden command …`: the commands of contract section 7 under their names for people. */
import type { CommandOptions } from './command.ts';
import { type CommandGroup, dataDir, minutes } from './options.ts';

export const parentCommands: CommandGroup = (root, settle) => {
  const parent = root.command('command').description("the parent's commands to the running agent");
  const add = (
    name: string,
    about: string,
    parameters: (argument?: string) => Record<string, unknown>,
    wire: string,
  ) =>
    parent
      .command(name)
      .description(about)
      .addOption(dataDir())
      .option('--child <profile>', 'which child; may be left out when there is one')
      .option('--json', 'print the whole answer')
      .action(async (...given: unknown[]) => {
        const argument = typeof given[0] === 'string' ? given[0] : undefined;
        const options = given.at(-2) as CommandOptions;
        const { command } = await import('./command.ts');
        settle(await command(wire, parameters(argument), options));
      });
  const game = ['--game <id>', 'this game only'] as const;

  add('force-close', 'close the running game', () => ({}), 'force_close').option(...game);
  add('extend-time <minutes>', 'give more time today', extension, 'extend_time').option(...game);
  add('set-limit <minutes>', 'the daily limit: minutes, "none" or "config"', limit, 'set_time_limit').option(
    ...game,
  );
  add('pause [minutes]', 'no play until resumed', pause, 'pause');
  add('resume', 'end a pause', () => ({}), 'resume');
  add('status', 'how the child stands', () => ({}), 'get_live_status');
};

const extension = (text?: string) => ({ minutes: minutes(text) });

const pause = (text?: string) => (text === undefined ? {} : { minutes: minutes(text) });

function limit(text?: string): Record<string, unknown> {
  if (text === 'config') return { minutes: 'config' };
  return { minutes: text === 'none' ? null : minutes(text) };
}
