/** Which failures a user can mend, and the sentence for each (contract C5). */
import { fileURLToPath } from 'node:url';
import { EXIT, type ExitCode, UserError } from '../protocol/exit-codes.ts';

/** A package or a file of the program is not there, or its native part does not load. */
const NOT_LOADED = new Set(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND', 'ERR_DLOPEN_FAILED']);
const NO_DESCRIPTORS = new Set(['EMFILE', 'ENFILE']);

/** The program's own folder, above dist/. */
const HOME = fileURLToPath(new URL('..', import.meta.url));

/** How a failure is told, and the exit code: one sentence without a stack trace for what a user can mend (contract C5). */
export function toldFailure(error: unknown): { readonly text: string; readonly code: ExitCode } {
  const mendable = asUserError(error);
  if (mendable) return { text: mendable.message, code: mendable.exitCode };
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { text, code: EXIT.gaveUp };
}

/** null: it is a fault of the program, whose stack trace is of use. */
export function asUserError(error: unknown): UserError | null {
  if (error instanceof UserError) return error;
  if (!(error instanceof Error) || !('code' in error)) return null;
  const [said = ''] = error.message.split('\n');
  const code = String(error.code);
  if (NOT_LOADED.has(code))
    return new UserError(EXIT.cannotServe, `The program is not whole (${said}): run "npm ci" in ${HOME}.`);
  if (NO_DESCRIPTORS.has(code))
    return new UserError(EXIT.cannotServe, `${said}: raise the limit of open files (ulimit -n 1024).`);
  return null;
}
