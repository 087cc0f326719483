#!/usr/bin/env node
/**
 * The entry of the command line: how whatever was asked for ends (contract C5). Imports nothing that is not in the
 * bundle, so that a package that is missing is told in one sentence as well.
 */
import { toldFailure } from './cli/failure.ts';
import { EXIT, type ExitCode, UserError } from './protocol/exit-codes.ts';

/** What a command left open keeps its process no longer than this, ms. */
const LINGER_MS = 3_000;

/** The exit code of the first failure; what follows from it is not told too. */
let failed: ExitCode | null = null;

/** Tells a failure and returns its exit code. */
function failure(error: unknown): ExitCode {
  if (failed !== null) return failed;
  const { text, code } = toldFailure(error);
  failed = code;
  console.error(text);
  return failed;
}

// Node 20 rejects a promise of its own too when a package fails that an imported file imports.
process.on('uncaughtException', (error) => process.exit(failure(error)));
process.stderr.on('error', () => {});
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Whoever read the output may be gone (`playwarden help | true`): the command still ends as it did.
  if (error.code === 'EPIPE') return;
  const said = `Standard output takes nothing (${error.message}): what was printed is not whole.`;
  process.exitCode = failure(new UserError(EXIT.disk, said));
});
/** Settles when all output is with its reader, who may read it page by page, or is gone. */
async function written(): Promise<void> {
  const outputs = [process.stdout, process.stderr];
  await Promise.all(outputs.map((output) => new Promise<void>((done) => output.write('', () => done()))));
}

import('./cli/program.ts')
  .then(({ runProgram }) => runProgram())
  .catch(failure)
  .then((code) => {
    process.exitCode = failed ?? code;
    setTimeout(() => void written().then(() => process.exit()), LINGER_MS).unref();
  });
