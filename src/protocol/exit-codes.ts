/** Exit codes of the command line (contract C5; the numbers follow BSD sysexits.h). */
export const EXIT = {
  ok: 0,
  /** Of commands beside `run`: what they looked for is not well, or what was asked for did not come about. */
  failed: 1,
  usage: 64,
  cannotServe: 69,
  gaveUp: 70,
  disk: 74,
  inUse: 75,
  config: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An error that a user can mend: printed as one sentence, never with a stack trace, and ends with its exit code. */
export class UserError extends Error {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.name = 'UserError';
    this.exitCode = exitCode;
  }
}
