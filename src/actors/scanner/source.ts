/**
 * What a source of process news is, and which one is tried when. Four implementations stand in sources/; what
 * they see goes to behavior.ts, and none of them decides anything but how often and where to look.
 */
import type { SourceName } from '../../protocol/config.ts';
import type { ClockPair } from '../../protocol/messages.ts';
import type { PollingClock } from '../../runtime/clock.ts';
import type { LookCause, Observation } from './behavior.ts';
import type { Rules } from './matcher.ts';

/** What a source tells. */
export interface SourceSink {
  observe(seen: Observation): void;
  /** A look found nothing that it would have had to look at. */
  idle(): void;
  /** A scan failed: nothing is known of this moment. The source goes on by itself. */
  failed(reason: string): void;
  /** The source cannot go on; it is stopped afterwards. */
  died(reason: string): void;
  /** The kernel dropped events (ENOBUFS); the source rescans by itself. */
  overflowed(): void;
}

/** What a source works with. */
export interface SourceContext {
  readonly clock: PollingClock;
  /** The rules in force now. */
  readonly rules: () => Rules;
  /** Pids whose fate is of interest: tracked games and their parts. Each must be looked at in every scan. */
  readonly watched: () => readonly number[];
  readonly isWatched: (pid: number) => boolean;
  readonly bootId: string;
  /** In the midst of long work: says that the thread lives. */
  readonly beat: () => void;
  /** As in `ScannerInit`. */
  readonly lastClocks: ClockPair | null;
  readonly pollIntervalMs: number;
  readonly reconcileMs: number;
}

export interface ProcessSource {
  readonly name: SourceName;
  /** At least so often it tells a batch of looks, ms. */
  readonly lookEveryMs: number;
  /**
   * Begins to watch and reports everything that runs as the first batch; settles when that is told. Rejects when
   * it does not work on this machine, and has then let go of everything.
   */
  start(sink: SourceSink): Promise<void>;
  /** Looks at everything now, told as one batch of this cause. */
  rescan(cause: LookCause): void | Promise<void>;
  /** Looks at these pids only. */
  look(pids: readonly number[]): void | Promise<void>;
  stop(): void | Promise<void>;
}

export type SourceFactory = (context: SourceContext) => ProcessSource;
export type SourceFactories = Readonly<Record<SourceName, SourceFactory>>;

/** Best first. The named one, then what else the platform has: detection of a worse kind is better than none. */
export function sourceOrder(wanted: 'auto' | SourceName, platform: NodeJS.Platform): readonly SourceName[] {
  const able: readonly SourceName[] =
    platform === 'linux'
      ? ['proc-events', 'procfs', 'ps-list']
      : platform === 'win32'
        ? ['toolhelp', 'ps-list']
        : ['ps-list'];
  return wanted === 'auto' ? able : [wanted, ...able.filter((name) => name !== wanted)];
}

const RETURN_FIRST_MS = 5_000;
const RETURN_MAX_MS = 300_000;

/** How long to wait before the better source is tried again, ms. */
export function returnDelayMs(failedTries: number): number {
  return Math.min(RETURN_FIRST_MS * 2 ** failedTries, RETURN_MAX_MS);
}
