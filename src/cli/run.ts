/**
 * `playwarden run`: the agent in the foreground, from its options to its exit code. Prints the ready line and
 * nothing else on standard output (contract C2); signals stop it or make it reload (C4).
 */
import { resolve } from 'node:path';
import { configToStartWith, readConfig } from '../app/config-file.ts';
import { defaultDataDir, prepareDataDir } from '../app/data-dir.ts';
import { endProcess } from '../app/end-process.ts';
import { LineWriter, putTo } from '../app/line-writer.ts';
import type { LoadLimit } from '../app/load-rule.ts';
import type { LogLevel } from '../app/log-levels.ts';
import { createLogger, type Logger } from '../app/logger.ts';
import { replaceable } from '../app/path-owners.ts';
import { type RunningAgent, startAgent } from '../app.ts';
import type { Config } from '../protocol/config.ts';
import { EXIT, type ExitCode, UserError } from '../protocol/exit-codes.ts';
import { abandonedThreads } from '../runtime/handle.ts';
import type { RestartLimits } from '../runtime/restart-rule.ts';
import { toldFailure } from './failure.ts';
import type { Signals } from './signals.ts';

export interface RunOptions {
  readonly config?: string;
  readonly dataDir?: string;
  readonly host?: string;
  readonly port?: number;
  readonly logLevel: LogLevel;
  // Not flags: for whoever runs the agent under faults of its own making.
  readonly restartLimits?: RestartLimits;
  readonly loadLimits?: readonly LoadLimit[];
}

/** A stop that takes longer than this ends the process anyway, ms (contract C4: within 5 s). */
const STOP_DEADLINE_MS = 4_500;

/** The last lines are waited for so long, ms: whoever reads at all has them within some. */
const LAST_LINES_MS = 1_000;

const STDOUT = 1;

/** What the agent says while it runs and as it ends: never by process.stdout, which waits for its reader. */
interface Outputs {
  readonly logger: Logger;
  readonly stderr: LineWriter;
  readonly stdout: LineWriter;
}

export async function run(options: RunOptions, signals: Signals): Promise<never> {
  const wanted = resolve(options.dataDir ?? defaultDataDir());
  // Whoever removes the directory it was started in would take every new thread from it: none starts without one.
  process.chdir('/');
  const config = configToStartWith(options.config, wanted);
  const dataDir = await prepareDataDir(wanted);
  const { logger, stderr } = await createLogger(options.logLevel);
  const stdout = new LineWriter({
    put: putTo(STDOUT),
    lost: () => '',
    // Whoever waited for the line may be gone; the children's limits hold all the same.
    onError: ({ message }) => logger.warn({ reason: message }, 'standard output takes nothing'),
  });
  const outputs = { logger, stderr, stdout };
  try {
    return await leave(await serve({ config, dataDir, options, signals, outputs }), outputs);
  } catch (error) {
    const { text, code } = toldFailure(error);
    stderr.write(`${text}\n`);
    return leave(code, outputs);
  }
}

interface Serving {
  readonly config: Config;
  readonly dataDir: string;
  readonly options: RunOptions;
  readonly signals: Signals;
  readonly outputs: Outputs;
}

/** From the start to the end that was asked for; returns how it ends. */
async function serve({ config, dataDir, options, signals, outputs }: Serving): Promise<ExitCode> {
  const { logger, stdout } = outputs;
  const ending = endings(outputs, signals);
  if (!config.security.require_token) {
    logger.warn({}, 'security.require_token is false: every program of this PC may command the agent');
  }
  const risk = replaceable(dataDir);
  if (risk !== null) logger.warn({}, `${risk.said}: ${risk.remedy}`);
  const agent = await startAgent({
    config: withFlags(config, options),
    dataDir,
    logger,
    restartLimits: options.restartLimits,
    loadLimits: options.loadLimits,
    onGaveUp: (reason) => ending.end(EXIT.gaveUp, reason),
  });
  signals.onReload(() => void reloadFrom(agent, options, dataDir, logger));

  const { port, token_file, source } = agent.about;
  stdout.write(`playwarden ready http://127.0.0.1:${port} token-file=${token_file} source=${source}\n`);

  const code = await ending.asked;
  // What is stopped must not be asked for anything any more.
  signals.onReload(() => {});
  await agent.stop();
  return code;
}

/** The end of the process, with what was said last. */
async function leave(code: ExitCode, { stdout, stderr }: Outputs): Promise<never> {
  await Promise.all([stdout.written(LAST_LINES_MS), stderr.written(LAST_LINES_MS)]);
  if (abandonedThreads() > 0 || stdout.writing || stderr.writing) endProcess(code);
  // Not by running out of work: Node then gives the signals back first, and a second one would end it as a failure.
  process.exit(code);
}

/** Why the agent ends: a signal, or a failure that no restart mends. */
function endings(
  { logger, stderr }: Outputs,
  signals: Signals,
): {
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
    // From the asking on, be it in the middle of the start.
    setTimeout(() => endProcess(code), STOP_DEADLINE_MS).unref();
    settle(code);
  };
  void signals.stop.then((signal) => end(EXIT.ok, signal));
  // From here on it belongs into the log.
  process.removeAllListeners('uncaughtException').on('uncaughtException', (error) => {
    logger.error({ err: error }, 'an unexpected failure');
    void stderr.written(LAST_LINES_MS).then(() => endProcess(EXIT.gaveUp));
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
  try {
    agent.takeTokens();
    const read = readConfig(options.config, dataDir);
    if (!read.ok) return agent.rejectConfig(read.file, read.errors);
    await agent.reload(withFlags(read.config, options));
  } catch (error) {
    if (error instanceof UserError)
      return agent.rejectConfig(dataDir, [{ path: '$', message: error.message }]);
    logger.error({ err: error }, 'the reload failed');
  }
}
