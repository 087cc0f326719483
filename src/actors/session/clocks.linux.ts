/**
 * Clocks on Linux: process.hrtime is CLOCK_MONOTONIC, which stands still in suspend; /proc/uptime is CLOCK_BOOTTIME,
 * which does not. Their difference is how long the machine slept, 10 ms coarse, for 20 µs and without a native call.
 */
import { openSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { monotonicMs } from '../../runtime/clock.ts';
import type { PlatformClocks } from './clocks.ts';

export function linuxClocks(): PlatformClocks {
  const bootMs = uptimeReader();
  return {
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(),
    hrtimeStandsStill: true,
    asleepMs: () => bootMs() - monotonicMs(),
    zone: () => zoneOf(process.env.TZ, localtimeLink()),
  };
}

/** CLOCK_BOOTTIME in ms. The file stays open for the life of the thread: it is read every second. */
function uptimeReader(): () => number {
  const fd = openSync('/proc/uptime', 'r');
  const bytes = Buffer.alloc(64);
  return () =>
    Number.parseFloat(bytes.toString('latin1', 0, readSync(fd, bytes, 0, bytes.length, 0))) * 1_000;
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
