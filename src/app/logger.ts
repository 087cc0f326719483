/** The log of the agent: JSON lines on standard error, a readable form where that is a terminal (contract C2). */
import { type DestinationStream, pino } from 'pino';
import type { LogLevel } from './log-levels.ts';

/** What the parts of the agent are given to log with. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const STDERR = 2;

/** What could not be written is kept up to this, and written when it can be; more is dropped. */
const MAX_WAITING_BYTES = 64 * 1024;

/** Writes synchronously: a line that was logged before a crash is there after it, and there are few lines. */
export async function createLogger(level: LogLevel): Promise<Logger> {
  const options = { level, base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime };
  const stderr = pino.destination({ fd: STDERR, sync: true, maxLength: MAX_WAITING_BYTES });
  // A log on a full disk, or on a terminal that was closed, is no reason to end.
  stderr.on('error', () => {});
  const logger: Logger = pino(options, process.stderr.isTTY ? await readable(stderr) : stderr);
  return logger;
}

async function readable(destination: DestinationStream) {
  const { default: pretty } = await import('pino-pretty');
  return pretty({ destination, ignore: 'pid', translateTime: 'SYS:HH:MM:ss.l' });
}
