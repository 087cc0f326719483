/**
 * Which boot of the machine this is: Linux has an id for it, Windows counts its boots. Elsewhere it is made from the
 * time the machine came up, to the minute, so that only a clock set by more than that between two runs looks like
 * a boot (untested on macOS).
 */
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { EXIT, UserError } from '../protocol/exit-codes.ts';
import { reasonOf } from './data-dir.ts';

const LINUX_FILE = '/proc/sys/kernel/random/boot_id';

/** Throws UserError 69 where there is no /proc: no process can be seen there either. */
export async function bootId(): Promise<string> {
  if (process.platform === 'linux') return readLinux();
  if (process.platform === 'win32') {
    const { windowsClocks } = await import('../actors/session/clocks.windows.ts');
    return (await windowsClocks()).bootId;
  }
  return `boot-${Math.round((Date.now() / 1_000 - uptime()) / 60)}`;
}

function readLinux(): string {
  try {
    return readFileSync(LINUX_FILE, 'utf8').trim();
  } catch (error) {
    throw new UserError(
      EXIT.cannotServe,
      `${LINUX_FILE} cannot be read (${reasonOf(error)}): the agent needs /proc to see games, run "mount -t proc proc /proc".`,
    );
  }
}
