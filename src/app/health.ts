/**
 * Whether the agent does its work, and why not (contract section 4, `health`). The age of an actor's last real work
 * decides, not its heartbeat's: a reporter can live while the limit loop is dead. Pure.
 */
import type { StoreHealth } from '../protocol/ports.ts';

/** A tick may be this late before the agent calls itself degraded, ms: with two seconds to the next look that is told within five. */
const TICK_LATE_MS = 2_750;
/** A commit may wait this long for its fsync before the agent calls itself degraded, ms: the contract allows 50. */
const SYNC_LATE_MS = 5_000;

export interface ActorHealth {
  readonly state: string;
  readonly restarts: number;
  readonly last_beat_ms_ago: number | null;
  readonly last_work_ms_ago: number | null;
  /** How long its next piece of work is overdue; null: nothing is due. */
  readonly overdue_ms: number | null;
}

export interface HealthInputs {
  readonly actors: Readonly<Record<string, ActorHealth>>;
  readonly store: StoreHealth;
  /** Why detection is in doubt, or null. */
  readonly detection: string | null;
  /** Why the configuration was refused, or null. */
  readonly configuration: string | null;
  /** What the process itself costs too much, one sentence each. */
  readonly load: readonly string[];
  /** On the clock of the store's stamps, ms. */
  readonly nowMs: number;
}

/** One sentence for each thing that does not work; empty when all is well. */
export function healthReasons({
  actors,
  store,
  detection,
  configuration,
  load,
  nowMs,
}: HealthInputs): string[] {
  const reasons = Object.entries(actors).flatMap(([id, actor]) => {
    if (actor.state !== 'running') return [`The ${id} is ${actor.state}.`];
    if (actor.overdue_ms !== null && actor.overdue_ms > TICK_LATE_MS) {
      return [`The ${id} has done no work for ${Math.round((actor.last_work_ms_ago ?? 0) / 1_000)} s.`];
    }
    return [];
  });
  if (!store.ok) reasons.push(store.reason ?? 'The database does not take writes.');
  const unsyncedMs = store.unsyncedSinceMonotonicMs === null ? 0 : nowMs - store.unsyncedSinceMonotonicMs;
  if (store.ok && unsyncedMs > SYNC_LATE_MS) {
    reasons.push(`The disk has confirmed nothing for ${Math.round(unsyncedMs / 1_000)} s.`);
  }
  if (detection) reasons.push(detection);
  if (configuration) reasons.push(configuration);
  return [...reasons, ...load];
}
