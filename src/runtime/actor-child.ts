/** An actor's thread as a supervisor's child. */
import type { CallMap } from './actor.ts';
import type { RunningChild } from './child.ts';
import { describeExit } from './exit.ts';
import type { SpawnedActor } from './handle.ts';

/** Resolves when the actor is ready; rejects with the reason when it ended before that. */
export async function actorChild<In, Calls extends CallMap<Calls>>(
  actor: SpawnedActor<In, Calls>,
  shutdownMs: number,
): Promise<RunningChild> {
  const ready = await actor.ready;
  if (!ready.ok) throw new Error(describeExit(ready.exit));
  return {
    exited: actor.exited,
    stop: () => actor.stop(shutdownMs),
    beat: () => ({ lastBeatAgoMs: actor.lastBeatAgoMs(), lastWorkAgoMs: actor.lastWorkAgoMs() }),
    kill: (reason) => actor.kill(reason),
  };
}
