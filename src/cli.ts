#!/usr/bin/env node
/**
 * The command line (contract section 1): which commands there are and how their failures end. What a command
 * does stands in src/cli/, each loaded only when it is asked for.
 */
import { Command, CommanderError, Option } from 'commander';
import { LOG_LEVELS } from './app/logger.ts';
import { VERSION } from './app/version.ts';
import { configFile, dataDir, day, port, type Settle, withoutEmpty } from './cli/options.ts';
import { parentCommands } from './cli/parent-commands.ts';
import { heedSignals } from './cli/signals.ts';
import { EXIT, type ExitCode, UserError } from './protocol/exit-codes.ts';
import { raisePriority } from './runtime/priority.ts';

/** The exit code of the command that ran. */
let outcome: ExitCode = EXIT.ok;
const settle: Settle = (code) => {
  outcome = code;
};

function program(): Command {
  const root = new Command('playwarden')
    .description("Sees games start and stop on a child's PC, keeps time limits, tells a desktop client.")
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError('(playwarden --help shows the commands)');

  root
    .command('run', { isDefault: false })
    .description('run the agent in the foreground')
    .addOption(configFile())
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
      const signals = heedSignals();
      // Before the rest is loaded: what starts beside busy programs must not queue behind them.
      raisePriority();
      const { run } = await import('./cli/run.ts');
      await run(options, signals);
    });

  root
    .command('reload')
    .description('make the running agent read its configuration again')
    .addOption(dataDir())
    .action(async (options) => {
      const { reload } = await import('./cli/reload.ts');
      settle(await reload(options));
    });

  addConfig(root.command('config').description('check or print a configuration'));
  parentCommands(root, settle);

  root
    .command('report')
    .description('what was played: the last seven days of every child')
    .addOption(dataDir())
    .option('--child <profile>', 'this child only')
    .option('--week', 'this week, Monday to today')
    .addOption(new Option('--from <day>', 'from this day on, like 2026-11-23').argParser(day))
    .addOption(new Option('--to <day>', 'up to this day').argParser(day))
    .option('--json', 'print it as data')
    .action(async (options) => {
      const { report } = await import('./cli/report.ts');
      settle(await report(options));
    });

  root
    .command('simulate')
    .description('what the rules would do on a written day, and why; needs no agent')
    .addOption(configFile())
    .requiredOption('--scenario <file>', 'what the child, the PC and the parent do (JSON)')
    .option('--json', 'print it as data')
    .action(async (options) => {
      const { simulate } = await import('./cli/simulate.ts');
      settle(simulate(options));
    });

  root
    .command('doctor')
    .description('look at a running agent from end to end, and say how to mend what is not well')
    .addOption(dataDir())
    .option('--json', 'print it as data')
    .action(async (options) => {
      const { doctor } = await import('./cli/doctor/doctor.ts');
      settle(await doctor(options));
    });

  root
    .command('token')
    .description('the tokens that clients show')
    .command('rotate')
    .description('make new tokens and disconnect whoever holds the old ones')
    .addOption(dataDir())
    .action(async (options) => {
      const { rotate } = await import('./cli/token.ts');
      settle(await rotate(options));
    });

  addParentKeys(
    root.command('parent-key').description("the keys with which a parent's phone signs commands"),
  );
  addService(root.command('service').description('the agent as a part of the machine'));
  return root;
}

function addConfig(config: Command): void {
  config
    .command('check <file>')
    .description('say "ok", or every problem as path: message')
    .action(async (file: string) => {
      const { checkConfig } = await import('./cli/config.ts');
      settle(checkConfig(file));
    });
  config
    .command('print')
    .description('print the whole default configuration')
    .action(async () => {
      const { printConfig } = await import('./cli/config.ts');
      settle(printConfig());
    });
}

function addParentKeys(parent: Command): void {
  const add = (name: string, about: string) =>
    parent.command(name).description(about).addOption(dataDir()).addOption(configFile());
  add('add <file>', 'enrol the Ed25519 public key in this file (JWK or PEM)').action(
    async (file: string, options) => {
      const { addParentKey } = await import('./cli/parent-key.ts');
      settle(await addParentKey(file, options));
    },
  );
  add('list', 'the thumbprints of the enrolled keys').action(async (options) => {
    const { listParentKeys } = await import('./cli/parent-key.ts');
    settle(await listParentKeys(options));
  });
  add('remove <thumbprint>', 'drop a key; enough of its beginning will do').action(
    async (thumbprint: string, options) => {
      const { removeParentKey } = await import('./cli/parent-key.ts');
      settle(await removeParentKey(thumbprint, options));
    },
  );
}

function addService(service: Command): void {
  const add = (name: string, about: string) =>
    service.command(name).description(about).option('--print', 'show what would be done, and do nothing');
  add('install', 'start the agent with the machine, and again whatever happens')
    .addOption(dataDir())
    .addOption(configFile())
    .action(async (options) => {
      const { installService } = await import('./cli/service/service.ts');
      settle(await installService(options));
    });
  add('uninstall', 'no longer; what the agent wrote stays').action(async (options) => {
    const { uninstallService } = await import('./cli/service/service.ts');
    settle(await uninstallService(options));
  });
  add('status', 'whether it is installed and runs').action(async (options) => {
    const { serviceStatus } = await import('./cli/service/service.ts');
    settle(await serviceStatus(options));
  });
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

/** What a command left open keeps its process no longer than this, ms. */
const LINGER_MS = 3_000;

withoutEmpty(process.env);
// Whoever read the output may be gone (`playwarden help | true`): the command still ends as it did.
for (const output of [process.stdout, process.stderr]) output.on('error', () => {});
program()
  .parseAsync()
  .then(() => outcome, failure)
  .then((code) => {
    process.exitCode = code;
    setTimeout(() => process.exit(), LINGER_MS).unref();
  });
