#!/usr/bin/env node
/**
 * The command line (contract section 1): which commands there are and how their failures end. What a command
 * does stands in src/cli/, each loaded only when it is asked for.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { LOG_LEVELS } from './app/logger.ts';
import { VERSION } from './app/version.ts';
import type { CommandOptions } from './cli/command.ts';
import { EXIT, type ExitCode, UserError } from './protocol/exit-codes.ts';

/** The exit code of the command that ran. */
let outcome: ExitCode = EXIT.ok;

function port(text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number > 65_535)
    throw new InvalidArgumentError('must be a whole number from 0 to 65535.');
  return number;
}

const dataDir = () =>
  new Option('--data-dir <dir>', 'where the agent keeps its data').env('PLAYWARDEN_DATA_DIR');

function program(): Command {
  const root = new Command('playwarden')
    .description("Sees games start and stop on a child's PC, keeps time limits, tells a desktop client.")
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError('(playwarden --help shows the commands)');

  root
    .command('run', { isDefault: false })
    .description('run the agent in the foreground')
    .addOption(new Option('--config <file>', 'the configuration (JSON)').env('PLAYWARDEN_CONFIG'))
    .addOption(dataDir())
    .addOption(
      new Option('--host <host>', 'the name clients are told').choices(['localhost', '127.0.0.1', '::1']),
    )
    .addOption(
      new Option('--port <port>', 'the port on both loopback addresses; 0 takes a free one').argParser(port),
    )
    .addOption(
      new Option('--log-level <level>', 'how much is logged').choices([...LOG_LEVELS]).default('info'),
    )
    .action(async (options) => {
      const { run } = await import('./cli/run.ts');
      outcome = await run(options);
    });

  root
    .command('reload')
    .description('make the running agent read its configuration again')
    .addOption(dataDir())
    .action(async (options) => {
      const { reload } = await import('./cli/reload.ts');
      outcome = await reload(options);
    });

  const config = root.command('config').description('check or print a configuration');
  config
    .command('check <file>')
    .description('say "ok", or every problem as path: message')
    .action(async (file: string) => {
      const { checkConfig } = await import('./cli/config.ts');
      outcome = checkConfig(file);
    });
  config
    .command('print')
    .description('print the whole default configuration')
    .action(async () => {
      const { printConfig } = await import('./cli/config.ts');
      outcome = printConfig();
    });

  addCommands(root.command('command').description("the parent's commands to the running agent"));

  root
    .command('token')
    .description('the tokens that clients show')
    .command('rotate')
    .description('make new tokens and disconnect whoever holds the old ones')
    .addOption(dataDir())
    .action(async (options) => {
      const { rotate } = await import('./cli/token.ts');
      outcome = await rotate(options);
    });

  return root;
}

/** The commands of contract section 7 under their names for people. */
function addCommands(parent: Command): void {
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
        const { command } = await import('./cli/command.ts');
        outcome = await command(wire, parameters(argument), options);
      });
  const game = ['--game <id>', 'this game only'] as const;
  add('force-close', 'close the running game', () => ({}), 'force_close').option(...game);
  add('extend-time <minutes>', 'give more time today', (m) => ({ minutes: number(m) }), 'extend_time').option(
    ...game,
  );
  add(
    'set-limit <minutes>',
    'set the daily limit: minutes, "none" or "config"',
    limitOf,
    'set_time_limit',
  ).option(...game);
  add(
    'pause [minutes]',
    'no play until resumed',
    (m) => (m === undefined ? {} : { minutes: number(m) }),
    'pause',
  );
  add('resume', 'end a pause', () => ({}), 'resume');
  add('status', 'how the child stands', () => ({}), 'get_live_status');
}

function limitOf(text?: string): Record<string, unknown> {
  if (text === 'config') return { minutes: 'config' };
  return { minutes: text === 'none' ? null : number(text) };
}

function number(text?: string): number {
  const value = Number(text);
  if (!text || Number.isNaN(value)) throw new UserError(EXIT.usage, `"${text}" is not a number of minutes.`);
  return value;
}

/** A failure as its exit code; what a user can mend is one sentence without a stack trace (contract C5). */
function failure(error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof UserError) {
    console.error(error.message);
    return error.exitCode;
  }
  console.error(error instanceof Error ? (error.stack ?? error.message) : error);
  return EXIT.gaveUp;
}

program()
  .parseAsync()
  .then(() => outcome, failure)
  .then((code) => {
    process.exitCode = code;
  });
