/**
 * Which boot of the machine this is. Linux tells it; elsewhere it is made from the time the machine came up, to the
 * minute, so that only a clock set by more than that between two runs looks like a boot (untested on macOS).
 */
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';

export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return `boot-${Math.round((Date.now() / 1_000 - uptime()) / 60)}`;
  }
}
