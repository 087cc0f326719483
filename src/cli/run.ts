/**
 * `playwarden run`: the agent in the foreground, from its options to its exit code. Prints the ready line and
 * nothing else on standard output (contract C2); signals stop it or make it reload (C4).
 */
import { describeErrors, readConfig } from '../app/config-file.ts';
import { defaultDataDir, prepareDataDir } from '../app/data-dir.ts';
import { createLogger, type Logger, type LogLevel } from '../app/logger.ts';
import { type RunningAgent, startAgent } from '../app.ts';
import type { Config } from '../protocol/config.ts';
import { EXIT, type ExitCode, UserError } from '../protocol/exit-codes.ts';

export interface RunOptions {
  readonly config?: string;
  readonly dataDir?: string;
  readonly host?: string;
  readonly port?: number;
  readonly logLevel: LogLevel;
}

/** A stop that takes longer than this ends the process anyway, ms (contract C4: within 5 s). */
const STOP_DEADLINE_MS = 4_500;

export async function run(options: RunOptions): Promise<ExitCode> {
  const wanted = options.dataDir ?? defaultDataDir();
  const read = readConfig(options.config, wanted);
  if (!read.ok)
    throw new UserError(EXIT.config, `${read.file} does not hold:\n${describeErrors(read.errors)}`);
  const dataDir = await prepareDataDir(wanted);
  const logger = await createLogger(options.logLevel);
  const ending = endings(logger);

  if (!read.config.security.require_token) {
    logger.warn({}, 'security.require_token is false: every program of this PC may command the agent');
  }
  const agent = await startAgent({
    config: withFlags(read.config, options),
    dataDir,
    logger,
    onGaveUp: (reason) => ending.end(EXIT.gaveUp, reason),
  });
  const reload = () => void reloadFrom(agent, options, dataDir, logger);
  if (process.platform !== 'win32') process.on('SIGHUP', reload);

  const { port, token_file, source } = agent.about;
  process.stdout.write(
    `playwarden ready http://127.0.0.1:${port} token-file=${token_file} source=${source}\n`,
  );

  const code = await ending.asked;
  const deadline = setTimeout(() => process.exit(code), STOP_DEADLINE_MS);
  await agent.stop();
  clearTimeout(deadline);
  return code;
}

/** Why the agent ends: a signal, or a failure that no restart mends. */
function endings(logger: Logger): {
  readonly asked: Promise<ExitCode>;
  end(code: ExitCode, reason: string): void;
} {
  let settle: (code: ExitCode) => void = () => {};
  const asked = new Promise<ExitCode>((resolve) => {
    settle = resolve;
  });
  const end = (code: ExitCode, reason: string) => {
    if (code === EXIT.ok) logger.info({ reason }, 'stopping');
    else logger.error({ reason }, 'giving up');
    settle(code);
  };
  const signals: NodeJS.Signals[] =
    process.platform === 'win32' ? ['SIGINT', 'SIGTERM', 'SIGBREAK', 'SIGHUP'] : ['SIGINT', 'SIGTERM'];
  for (const signal of signals) process.on(signal, () => end(EXIT.ok, signal));
  process.on('uncaughtException', (error) => {
    logger.error({ err: error }, 'an unexpected failure');
    process.exit(EXIT.gaveUp);
  });
  return { asked, end };
}

/** A flag wins over the file (contract C1). */
function withFlags(config: Config, options: RunOptions): Config {
  const websocket = {
    ...config.desktop_client.websocket,
    ...(options.host !== undefined && { host: options.host }),
    ...(options.port !== undefined && { port: options.port }),
  };
  return { ...config, desktop_client: { ...config.desktop_client, websocket } };
}

async function reloadFrom(
  agent: RunningAgent,
  options: RunOptions,
  dataDir: string,
  logger: Logger,
): Promise<void> {
  const read = readConfig(options.config, dataDir);
  if (!read.ok) return agent.rejectConfig(read.file, read.errors);
  try {
    await agent.reload(withFlags(read.config, options));
  } catch (error) {
    logger.error({ err: error }, 'the reload failed');
  }
}
