/** The entry of the pool's threads; piscina calls `close` by its name. Nobody imports this file. */
import type { CloseResult } from '../../protocol/messages.ts';
import { monotonicMs, systemClock } from '../../runtime/clock.ts';
import { Vitals } from '../../runtime/vitals.ts';
import { closeProcess } from './close.ts';
import { platformControl } from './platform/control.ts';
import type { WatchedCloses } from './pool.ts';

/** ms; a stop of the whole process that main does not notice as such leaves room for it within the limit. */
const BEAT_EVERY_MS = 500;

/** It beats as long as they are under way, so that main can tell a wait from a hang. */
export async function close({ tasks, beat }: WatchedCloses): Promise<readonly CloseResult[]> {
  const vitals = new Vitals(beat);
  const beatNow = () => vitals.beat(monotonicMs());
  beatNow();
  const beats = setInterval(beatNow, BEAT_EVERY_MS);
  try {
    const control = await platformControl(process.platform);
    return await Promise.all(
      tasks.map((task) =>
        closeProcess({ ...task, ownPids: [...task.ownPids, process.pid] }, control, systemClock),
      ),
    );
  } finally {
    clearInterval(beats);
  }
}
