/** The session actor's thread: the real clocks and timers around the shell of actor.ts. Nobody imports this file. */
import type { FromSession, SessionCalls, SessionInit, ToSession } from '../../protocol/messages.ts';
import { systemClock } from '../../runtime/clock.ts';
import { runActor } from '../../runtime/host.ts';
import { lowerThread, raiseThread } from '../../runtime/priority.ts';
import { createSessionActor } from './actor.ts';
import { systemClocks } from './clocks.ts';
import { Rush } from './rush.ts';

runActor<SessionInit, ToSession, FromSession, SessionCalls>(async (host) => {
  // It wakes for each start and stop together with the client that is told: the client goes first, but for a rush.
  lowerThread();
  const rush = new Rush();
  const clocks = await systemClocks();
  const actor = createSessionActor(host, clocks, { after, everySecond });
  const stopSeconds = systemClock.everySecond(() => {
    if (rush.second()) lowerThread();
  });
  return {
    ...actor,
    receive(message) {
      if (rush.heard()) raiseThread();
      return actor.receive(message);
    },
    stop() {
      stopSeconds();
      return actor.stop();
    },
  };
});

/** After a stall the messages that wait go first: a stop among them says up to when it is charged. */
function behindMessages(plan: (fn: () => void) => () => void, fn: () => void): () => void {
  let immediate: NodeJS.Immediate | undefined;
  const stop = plan(() => {
    immediate = setImmediate(fn);
  });
  return () => {
    stop();
    clearImmediate(immediate);
  };
}

function after(ms: number, fn: () => void): () => void {
  return behindMessages((late) => systemClock.after(ms, late), fn);
}

function everySecond(fn: () => void): () => void {
  return behindMessages(systemClock.everySecond, fn);
}
