/** Calls the platform's service manager. One that hangs is given up, so that no command of ours waits for ever. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { reasonOf } from '../../app/data-dir.ts';
import { EXIT, UserError } from '../../protocol/exit-codes.ts';
import type { Call } from './plan.ts';

/** systemd gives a service 90 s to come up or go down before it acts itself, ms. */
const GIVE_UP_MS = 120_000;

/** Settles when it has ended well; else throws a UserError that says what it said. */
export async function must(call: Call, giveUpMs = GIVE_UP_MS): Promise<void> {
  try {
    await run(call, giveUpMs);
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    const late = isGivenUp(error) ? `it did not end within ${Math.round(giveUpMs / 1_000)} s` : '';
    const reason = [late, said].filter(Boolean).join(': ') || reasonOf(error);
    throw new UserError(EXIT.failed, `${call.join(' ')} failed: ${reason}`);
  }
}

/** What it printed; null: it failed. */
export async function output(call: Call, giveUpMs = GIVE_UP_MS): Promise<string | null> {
  try {
    return await run(call, giveUpMs);
  } catch {
    return null;
  }
}

async function run([program, ...args]: Call, giveUpMs: number): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, { timeout: giveUpMs, killSignal: 'SIGKILL' });
  return stdout;
}

function isGivenUp(error: unknown): boolean {
  return error instanceof Error && 'killed' in error && error.killed === true;
}
