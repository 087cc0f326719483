/** Why a thread ended, told from what was seen of it. Pure. */
import type { ExitReason } from './actor.ts';
import { errorData } from './wire.ts';

/** What main has seen of a thread by the time it exits. */
export interface Fate {
  ready: boolean;
  /** It said that it has stopped. */
  stopped: boolean;
  /** Why main ended it; null: main did not. */
  killed: string | null;
  /** Its `error` event. */
  error: unknown;
}

/** The reason of an exit with that code. A thread that main ends before it is ready was never ready. */
export function exitOf(fate: Fate, code: number): ExitReason {
  if (isOutOfMemory(fate.error)) return { kind: 'out_of_memory', message: errorData(fate.error).message };
  if (fate.stopped) return { kind: 'stopped' };
  if (!fate.ready) {
    if (fate.killed !== null) return { kind: 'never_ready', message: fate.killed };
    if (fate.error !== null) return { kind: 'never_ready', ...errorData(fate.error) };
    return { kind: 'never_ready', message: `it ended with code ${code} before it was ready` };
  }
  if (fate.killed !== null) return { kind: 'killed', reason: fate.killed };
  if (fate.error !== null) return { kind: 'crashed', ...errorData(fate.error) };
  return { kind: 'ended', code };
}

/** One line for a log. */
export function describeExit(exit: ExitReason): string {
  switch (exit.kind) {
    case 'stopped':
      return 'stopped as asked';
    case 'ended':
      return `ended by itself with code ${exit.code}`;
    case 'crashed':
    case 'never_ready':
      return `${exit.kind === 'crashed' ? 'crashed' : 'never ready'}: ${exit.message}${exit.cause ? `: ${exit.cause}` : ''}`;
    case 'out_of_memory':
      return `out of memory: ${exit.message}`;
    case 'killed':
      return `killed: ${exit.reason}`;
    case 'abandoned':
      return `abandoned in a native call: ${exit.reason}`;
  }
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
}
