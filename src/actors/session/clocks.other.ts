/**
 * Clocks where neither Linux nor Windows is: process.hrtime runs on through sleep on macOS and nothing here tells
 * how long it slept, so sleep is charged there. The boot is told by sysctl. Untested on macOS.
 */
import { execFileSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { zoneOf } from './clocks.linux.ts';
import type { PlatformClocks } from './clocks.ts';

export function otherClocks(): PlatformClocks {
  return {
    bootId: orElse(
      () => execFileSync('sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'utf8' }).trim(),
      'boot',
    ),
    hrtimeStandsStill: false,
    asleepMs: () => 0,
    zone: () =>
      zoneOf(
        process.env.TZ,
        orElse(() => readlinkSync('/etc/localtime'), null),
      ),
  };
}

function orElse<T>(ask: () => T, otherwise: T): T {
  try {
    return ask();
  } catch {
    return otherwise;
  }
}
