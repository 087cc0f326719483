/**
 * The clock of the main thread: the monotonic clock plus the bias that the session actor keeps (contract T1). Until
 * the session actor spoke first, it is what the last run of this boot left, so that a clock set meanwhile stamps
 * nothing; after a boot the system's wall clock is all there is.
 */
import type { MetaStore, TickingClock } from '../protocol/ports.ts';
import { monotonicMs, systemClock } from '../runtime/clock.ts';

export interface AgentClock extends TickingClock {
  /** Trusted wall time = monotonic + this, ms; comes with every output of the session actor. */
  setBias(trustedBiasMs: number): void;
  /** Goes on from what was kept in this boot, and keeps it from now on. */
  keepIn(meta: MetaStore, bootId: string): void;
}

const KEY = 'trusted_bias';
/** A bias that moved by less is not worth a write, ms. */
const KEEP_MS = 1_000;

export function createAgentClock(): AgentClock {
  let bias = Date.now() - monotonicMs();
  let kept: number | null = null;
  let keep = (_biasMs: number): void => {};
  return {
    monotonic: monotonicMs,
    wall: () => monotonicMs() + bias,
    after: systemClock.after,
    everySecond: systemClock.everySecond,
    setBias(trustedBiasMs) {
      bias = trustedBiasMs;
      if (kept !== null && Math.abs(bias - kept) < KEEP_MS) return;
      kept = bias;
      keep(bias);
    },
    keepIn(meta, bootId) {
      kept = keptBias(meta.get(KEY), bootId);
      bias = kept ?? bias;
      keep = (biasMs) => meta.set(KEY, JSON.stringify({ bootId, biasMs }));
    },
  };
}

/** null: nothing was kept, or in another boot, whose monotonic clock was another one. */
function keptBias(text: string | null, bootId: string): number | null {
  const value = text === null ? null : (JSON.parse(text) as { bootId: string; biasMs: number });
  return value?.bootId === bootId ? value.biasMs : null;
}

/** Epoch ms as the ISO 8601 UTC text of contract section 4. */
export function isoTime(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
