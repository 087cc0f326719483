/**
 * The end of the process when a thread may hang in a native call: process.exit() waits for every thread, and would wait
 * for that one for ever; a service manager that waits for the end would then start nothing in its place.
 */
import { createRequire } from 'node:module';
import type { ExitCode } from '../protocol/exit-codes.ts';

/** Ends the process now, with what is to be done at an exit, and without waiting for its threads. */
export function endProcess(code: ExitCode): never {
  process.emit('exit', code);
  try {
    exitWithoutThreads(code);
  } catch {
    // koffi does not load here: better an end that says nothing than none.
  }
  process.kill(process.pid, 'SIGKILL');
  throw new Error('the process outlives SIGKILL');
}

/** `_exit` of POSIX; ExitProcess of Windows ends the other threads first. */
function exitWithoutThreads(code: number): void {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  if (process.platform === 'win32') {
    koffi.load('kernel32.dll').func('void __stdcall ExitProcess(uint32_t code)')(code);
  } else {
    koffi.load(null).func('void _exit(int status)')(code);
  }
}
