/**
 * Whether somebody sees what runs, by which source, and why the agent calls itself degraded when it is not the best one
 * or sees nothing. The session actor is told when nobody looks: meanwhile no session ends.
 */
import type { Config, SourceName } from '../protocol/config.ts';
import type { ToSession } from '../protocol/messages.ts';

/** A scan may fail this often in a row before the agent calls itself degraded. */
const FAILED_SCANS_DEGRADE = 3;

export interface Detection {
  /** In use; null: none yet. */
  readonly source: SourceName | null;
  /** Why it is degraded; null: it is not. */
  readonly trouble: string | null;
}

export interface DetectionOptions {
  readonly config: () => Config;
  readonly postToSession: (message: ToSession) => void;
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

/** What the scanner says of itself, taken in. */
export interface DetectionWatch {
  /** Somebody sees what runs. */
  readonly looks: boolean;
  /** A fresh scanner: it sees, and says nothing of what the one before it did not. */
  scannerStarted(source: SourceName, reason?: string): void;
  scannerGone(): void;
  scanFailed(reason: string, failures: number): void;
  scanWorks(): void;
  /** Another source is in use; `reason`: why not the one before. */
  sourceSettled(source: SourceName, reason?: string): void;
  state(): Detection;
}

export function watchDetection({ config, postToSession, log }: DetectionOptions): DetectionWatch {
  let source: SourceName | null = null;
  /** What the configuration asks for; with `auto` what worked first. Working with another one is a degradation. */
  let best: SourceName | null = null;
  /** What the configuration said when the source was last settled. */
  let configured = config().detection.source;
  let fallback: string | null = null;
  let blind: string | null = null;
  let looks = true;

  function scannerGone(): void {
    if (looks) postToSession({ type: 'scan.unknown' });
    looks = false;
  }

  function sourceSettled(next: SourceName, reason?: string): void {
    const { source: wanted } = config().detection;
    if (wanted !== 'auto') best = wanted;
    else if (wanted !== configured) best = next;
    best ??= next;
    configured = wanted;
    fallback =
      next === best
        ? null
        : `Detection uses ${next} in the place of ${best}: ${reason ?? 'that did not start'}`;
    if (fallback) log.warn({ source: next, reason }, fallback);
    else log.info({ source: next, before: source, reason }, 'detection has its source');
    source = next;
  }

  return {
    get looks() {
      return looks;
    },
    scannerStarted(next, reason) {
      blind = null;
      looks = true;
      sourceSettled(next, reason);
    },
    scannerGone,
    scanFailed(reason, failures) {
      log.warn({ reason, failures }, 'a scan of the processes failed');
      scannerGone();
      if (failures >= FAILED_SCANS_DEGRADE)
        blind = `${failures} scans of the processes failed in a row: ${reason}`;
    },
    scanWorks() {
      looks = true;
      postToSession({ type: 'scan.known' });
      blind = null;
    },
    sourceSettled,
    state: () => ({ source, trouble: blind ?? fallback }),
  };
}
