/**
 * The commands of the command line (contract section 1). What a command does stands beside this file, each loaded
 * only when it is asked for.
 */
import { Command, CommanderError, Option } from 'commander';
import { LOG_LEVELS } from '../app/log-levels.ts';
import { VERSION } from '../app/version.ts';
import { EXIT, type ExitCode } from '../protocol/exit-codes.ts';
import { raisePriority } from '../runtime/priority.ts';
import { configFile, dataDir, day, port, type Settle, thumbprint, withoutEmpty } from './options.ts';
import { parentCommands } from './parent-commands.ts';
import { heedSignals } from './signals.ts';

/** The exit code of the command that ran. */
let outcome: ExitCode = EXIT.ok;
const settle: Settle = (code) => {
  outcome = code;
};

/** Does what the arguments of this process ask for. */
export async function runProgram(): Promise<ExitCode> {
  withoutEmpty(process.env);
  try {
    await program().parseAsync();
    return outcome;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    throw error;
  }
}

function program(): Command {
  const root = new Command('playwarden')
    .description("Sees games start and stop on a child's PC, keeps time limits, tells a desktop client.")
    .version(VERSION)
    .exitOverride()
    // Its own options stand before the command: `-V` may be the beginning of a thumbprint.
    .enablePositionalOptions()
    .showHelpAfterError('(playwarden --help shows the commands)');

  root
    .command('run', { isDefault: false })
    .description('run the agent in the foreground')
    .addOption(configFile())
    .addOption(dataDir())
    .addOption(
      new Option(
        '--host <host>',
        'the name clients are told (default: what the configuration says, localhost)',
      ).choices(['localhost', '127.0.0.1', '::1']),
    )
    .addOption(
      new Option(
        '--port <port>',
        'the port on both loopback addresses; 0 takes a free one (default: what the configuration says, 8001)',
      ).argParser(port),
    )
    .addOption(
      new Option('--log-level <level>', 'how much is logged').choices([...LOG_LEVELS]).default('info'),
    )
    .action(async (options) => {
      const signals = heedSignals();
      // Before the rest is loaded: what starts beside busy programs must not queue behind them.
      raisePriority();
      const { run } = await import('./run.ts');
      await run(options, signals);
    });

  root
    .command('reload')
    .description('make the running agent read its configuration again')
    .addOption(dataDir())
    .action(async (options) => {
      const { reload } = await import('./reload.ts');
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
      const { report } = await import('./report.ts');
      settle(await report(options));
    });

  root
    .command('simulate')
    .description('what the rules would do on a written day, and why; needs no agent')
    .addOption(configFile())
    .requiredOption('--scenario <file>', 'what the child, the PC and the parent do (JSON)')
    .option('--json', 'print it as data')
    .action(async (options) => {
      const { simulate } = await import('./simulate.ts');
      settle(simulate(options));
    });

  root
    .command('doctor')
    .description('look at a running agent from end to end, and say how to mend what is not well')
    .addOption(dataDir())
    .option('--json', 'print it as data')
    .action(async (options) => {
      const { doctor } = await import('./doctor/doctor.ts');
      settle(await doctor(options));
    });

  root
    .command('token')
    .description('the tokens that clients show')
    .command('rotate')
    .description('make new tokens and disconnect whoever holds the old ones')
    .addOption(dataDir())
    .action(async (options) => {
      const { rotate } = await import('./token.ts');
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
      const { checkConfig } = await import('./config.ts');
      settle(checkConfig(file));
    });
  config
    .command('print')
    .description('print the whole default configuration')
    .action(async () => {
      const { printConfig } = await import('./config.ts');
      settle(printConfig());
    });
}

function addParentKeys(parent: Command): void {
  const add = (name: string, about: string) =>
    parent.command(name).description(about).addOption(dataDir()).addOption(configFile());
  add('add <file>', 'enrol the Ed25519 public key in this file (JWK or PEM)').action(
    async (file: string, options) => {
      const { addParentKey } = await import('./parent-key.ts');
      settle(await addParentKey(file, options));
    },
  );
  add('list', 'the thumbprints of the enrolled keys').action(async (options) => {
    const { listParentKeys } = await import('./parent-key.ts');
    settle(await listParentKeys(options));
  });
  add('remove', 'drop a key')
    .argument('<thumbprint>', 'as list shows it; enough of its beginning will do', thumbprint)
    // One of 64 begins with a dash.
    .allowUnknownOption()
    .action(async (print: string, options) => {
      const { removeParentKey } = await import('./parent-key.ts');
      settle(await removeParentKey(print, options));
    });
}

function addService(service: Command): void {
  const add = (name: string, about: string) =>
    service.command(name).description(about).option('--print', 'show what would be done, and do nothing');
  add('install', 'start the agent with the machine, and again whatever happens')
    .addOption(dataDir())
    .addOption(configFile())
    .action(async (options) => {
      const { installService } = await import('./service/service.ts');
      settle(await installService(options));
    });
  add('uninstall', 'no longer; what the agent wrote stays').action(async (options) => {
    const { uninstallService } = await import('./service/service.ts');
    settle(await uninstallService(options));
  });
  add('status', 'whether it is installed and runs').action(async (options) => {
    const { serviceStatus } = await import('./service/service.ts');
    settle(await serviceStatus(options));
  });
}
