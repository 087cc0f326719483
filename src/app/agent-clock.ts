/**
 * The clock of the main thread: the monotonic clock plus the bias that the session actor keeps (contract T1).
 * Until the session actor spoke first, the system's wall clock is all there is.
 */
import type { Clock } from '../protocol/ports.ts';
import { monotonicMs, systemClock } from '../runtime/clock.ts';

export interface AgentClock extends Clock {
  /** Trusted wall time = monotonic + this, ms; comes with every output of the session actor. */
  setBias(trustedBiasMs: number): void;
}

export function createAgentClock(): AgentClock {
  let bias = Date.now() - monotonicMs();
  return {
    monotonic: monotonicMs,
    wall: () => monotonicMs() + bias,
    after: systemClock.after,
    setBias(trustedBiasMs) {
      bias = trustedBiasMs;
    },
  };
}

/** Epoch ms as the ISO 8601 UTC text of contract section 4. */
export function isoTime(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
