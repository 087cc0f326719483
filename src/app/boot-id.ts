/**
 * Which boot of the machine this is: Linux has an id for it, Windows counts its boots. Elsewhere it is made from the
 * time the machine came up, to the minute, so that only a clock set by more than that between two runs looks like
 * a boot (untested on macOS).
 */
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';

export async function bootId(): Promise<string> {
  if (process.platform === 'linux') return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  if (process.platform === 'win32') {
    const { windowsClocks } = await import('../actors/session/clocks.windows.ts');
    return (await windowsClocks()).bootId;
  }
  return `boot-${Math.round((Date.now() / 1_000 - uptime()) / 60)}`;
}
