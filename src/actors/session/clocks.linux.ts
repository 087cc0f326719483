/**
 * Clocks on Linux: process.hrtime is CLOCK_MONOTONIC, which stands still in suspend; /proc/uptime is CLOCK_BOOTTIME,
 * which does not. Their difference is how long the machine slept, 10 ms coarse, for 20 µs and without a native call.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { monotonicMs } from '../../runtime/clock.ts';
import type { PlatformClocks } from './clocks.ts';

export function linuxClocks(): PlatformClocks {
  return {
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(),
    hrtimeStandsStill: true,
    asleepMs: () => Number.parseFloat(readFileSync('/proc/uptime', 'latin1')) * 1_000 - monotonicMs(),
    zone: () => zoneOf(process.env.TZ, localtimeLink()),
  };
}

/** `TZ` wins when it names a zone (`Europe/Berlin`, `:Europe/Berlin`), else where /etc/localtime points to. */
export function zoneOf(tz: string | undefined, link: string | null): string | null {
  const named = tz?.replace(/^:/, '');
  if (named) return named.replace(/^.*\/zoneinfo\//, '');
  const [, zone] = link?.match(/\/zoneinfo\/(?:posix\/|right\/)?(.+)$/) ?? [];
  return zone ?? null;
}

function localtimeLink(): string | null {
  try {
    return readlinkSync('/etc/localtime');
  } catch {
    return null;
  }
}
