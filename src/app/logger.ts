/** The log of the agent: JSON lines on standard error, a readable form where that is a terminal (contract C2). */
import { isatty } from 'node:tty';
import { pino } from 'pino';
import { UserError } from '../protocol/exit-codes.ts';
import { LineWriter, putTo } from './line-writer.ts';
import type { LogLevel } from './log-levels.ts';

/** What the parts of the agent are given to log with. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A failure as it is logged: the sentence alone where a user can mend it, else with its stack trace (contract C5). */
export function failureFields(error: unknown): object {
  return error instanceof UserError ? { reason: error.message } : { err: error };
}

const STDERR = 2;

/** `stderr` is what it writes with: for what is not a line of the log, and for whoever waits for the last one. */
export async function createLogger(
  level: LogLevel,
): Promise<{ readonly logger: Logger; readonly stderr: LineWriter }> {
  const options = { level, base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime };
  const form = isatty(STDERR) ? await readable() : (line: string) => line;
  // A log on a full disk, or on a terminal that was closed, is no reason to end.
  const stderr = new LineWriter({
    put: putTo(STDERR),
    lost(count) {
      let told = '';
      const write = (line: string) => {
        told = form(line);
      };
      pino(options, { write }).error({ lost: count }, 'nobody read the log: so many lines of it are lost');
      return told;
    },
  });
  const logger: Logger = pino(options, { write: (line) => stderr.write(form(line)) });
  return { logger, stderr };
}

async function readable(): Promise<(line: string) => string> {
  const { prettyFactory } = await import('pino-pretty');
  return prettyFactory({ ignore: 'pid', translateTime: 'SYS:HH:MM:ss.l' });
}
