/**
 * The system's clocks, read together: what the pure behaviour is given as a `Reading`. Everything is derived from
 * process.hrtime, which all threads share, and from how long the machine slept, which each platform tells in its
 * own way (clocks.linux.ts, clocks.windows.ts, loaded only where they are used).
 */
import { isTimeZone, zoneOfNode } from '../../protocol/time-zone.ts';
import { monotonicMs } from '../../runtime/clock.ts';
import type { Reading } from './trusted-clock.ts';

/** What a platform has to tell. */
export interface PlatformClocks {
  readonly bootId: string;
  /** Whether process.hrtime stands still while the machine sleeps (Linux) or runs on (Windows, macOS). */
  readonly hrtimeStandsStill: boolean;
  /** How long the machine slept since some moment of this boot, ms; may be coarse. */
  asleepMs(): number;
  /** The system's zone as it is now: Node's own answer is cached since the start. null: it cannot be told. */
  zone(): string | null;
}

export interface Clocks {
  read(): Reading;
  /** From the clock that threads share (process.hrtime) to the awake clock of readings, by the sleep known so far. */
  toAwake(sharedMs: number): number;
}

/** A sleep is at least this long, ms: coarse clocks disagree by less. */
const COARSE_MS = 100;

export async function systemClocks(): Promise<Clocks> {
  return clocksOf(await platformClocks());
}

export function clocksOf(platform: PlatformClocks): Clocks {
  let asleep = platform.asleepMs();
  const zones = validZones();
  const sleptInShared = () => (platform.hrtimeStandsStill ? 0 : asleep);
  return {
    read() {
      const now = platform.asleepMs();
      if (Math.abs(now - asleep) > COARSE_MS) asleep = now;
      const sharedMs = monotonicMs();
      const awakeMs = sharedMs - sleptInShared();
      return {
        awakeMs,
        elapsedMs: awakeMs + asleep,
        wallMs: Date.now(),
        bootId: platform.bootId,
        zone: zones(platform.zone()),
      };
    },
    toAwake: (sharedMs) => sharedMs - sleptInShared(),
  };
}

async function platformClocks(): Promise<PlatformClocks> {
  if (process.platform === 'linux') return (await import('./clocks.linux.ts')).linuxClocks();
  if (process.platform === 'win32') return (await import('./clocks.windows.ts')).windowsClocks();
  return (await import('./clocks.other.ts')).otherClocks();
}

/** What the zone of the machine is called in the calendar; each name is looked up once. */
function validZones(): (name: string | null) => string {
  let asked: string | null | undefined;
  let answer = 'UTC';
  return (name) => {
    if (name !== asked) answer = validZone(name);
    asked = name;
    return answer;
  };
}

/** A name that is no zone becomes the zone that Node started with. */
function validZone(name: string | null): string {
  // ICU is not asked about UTC: the first question about any zone makes 8 MB of it resident, and Temporal needs none.
  if (name === 'UTC' || name === 'Etc/UTC') return 'UTC';
  return name !== null && isTimeZone(name) ? name : zoneOfNode();
}
