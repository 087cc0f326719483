/** The log of the agent: JSON lines on standard error, a readable form where that is a terminal (contract C2). */
import { pino } from 'pino';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What the parts of the agent are given to log with. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const STDERR = 2;

/** Writes synchronously: a line that was logged before a crash is there after it, and there are few lines. */
export async function createLogger(level: LogLevel): Promise<Logger> {
  const options = { level, base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime };
  const stream = process.stderr.isTTY ? await readable() : pino.destination({ fd: STDERR, sync: true });
  const logger: Logger = pino(options, stream);
  return logger;
}

async function readable() {
  const { default: pretty } = await import('pino-pretty');
  return pretty({ destination: STDERR, sync: true, ignore: 'pid', translateTime: 'SYS:HH:MM:ss.l' });
}
