/**
 * The thin shell around the behaviour: reads the clocks, steps, posts what comes out, sleeps until the next
 * deadline, and looks at the clocks now and then. It decides nothing. Clocks and timers come in, so that a test can run a whole day through it.
 */
import type {
  FromSession,
  HeardBySession,
  PlayedProcess,
  SessionCalls,
  SessionCommand,
  SessionConfig,
  SessionInit,
  ToSession,
} from '../../protocol/messages.ts';
import { problem } from '../../protocol/problems.ts';
import type { Actor, ActorHost } from '../../runtime/actor.ts';
import type { RuntimeClock } from '../../runtime/clock.ts';
import {
  initialState,
  lookedTo,
  provenAt,
  type SessionEffect,
  type SessionMessage,
  step,
} from './behavior.ts';
import type { Clocks } from './clocks.ts';
import { openProvenFile } from './proven-file.ts';
import { statusOf } from './status.ts';
import type { Reading } from './trusted-clock.ts';
import { wasStopped } from './turn.ts';

/** The longest time without a step, ms. */
const LONGEST_SLEEP_MS = 30_000;
/** How often it looks when nothing is due before, ms. */
const LOOK_MS = 1_000;
/** A deadline within this is waited for by a timer of its own, ms: more than lies between two looks. */
const NEAR_MS = 2_000;
/** Clocks that moved apart by this much are worth a step, ms. */
const APART_MS = 1_000;
/** After a stop of the whole agent what waits at its door comes first, ms: a stop among it says up to when it is charged. */
const DOOR_MS = 250;

/** The clock of the thread; its moments come from `Clocks`. */
export type Timers = Pick<RuntimeClock, 'after' | 'everySecond'>;

export function createSessionActor(
  host: ActorHost<SessionInit, FromSession>,
  clocks: Clocks,
  timers: Timers,
): Actor<ToSession, SessionCalls> {
  const born = clocks.read();
  const proven = openProvenFile(host.init.provenFile);
  let state = initialState(host.init, born, proven.read());
  let stopTimer = () => {};
  let lookedAwakeMs = born.awakeMs;

  function take(message: SessionMessage, reading: Reading = clocks.read()): readonly SessionEffect[] {
    const [next, effects] = step(state, message, reading, lookedAwakeMs);
    state = next;
    for (const effect of effects) {
      if (effect.type === 'session.output') host.post(inShared(effect, clocks));
    }
    sleep(reading, lookedTo(message, lookedAwakeMs, reading.awakeMs));
    return effects;
  }

  function sleep(reading: Reading, lookAwakeMs: number): void {
    stopTimer();
    lookedAwakeMs = lookAwakeMs;
    const moment = provenAt(state, reading, lookAwakeMs);
    if (moment) proven.write(moment);
    const dueMs = Math.max(0, state.wakeAwakeMs - reading.awakeMs);
    // What came first after a stop is no look; more may come.
    if (wasStopped(lookAwakeMs, reading.awakeMs)) lookBehindDoor();
    // A later deadline is near at a later look.
    else if (dueMs < NEAR_MS) stopTimer = timers.after(dueMs, glance);
  }

  function glance(): void {
    const reading = clocks.read();
    if (wasStopped(lookedAwakeMs, reading.awakeMs)) lookBehindDoor();
    else look(reading);
  }

  function lookBehindDoor(): void {
    stopTimer = timers.after(DOOR_MS, () => look(clocks.read()));
  }

  function look(reading: Reading): void {
    const due = reading.awakeMs >= Math.min(state.wakeAwakeMs, state.reading.awakeMs + LONGEST_SLEEP_MS);
    const stopped = wasStopped(lookedAwakeMs, reading.awakeMs);
    if (due || stopped || hasMovedApart(state.reading, reading)) take({ type: 'tick' }, reading);
    else sleep(reading, reading.awakeMs);
    // Messages are no work: who asks how old it is must not make it young, and only a tick ends a session.
    host.worked(LOOK_MS);
  }

  look(born);
  // Between two steps the clocks are compared once a second: a set wall clock is told at once (contract T1).
  const stopLooks = timers.everySecond(glance);
  return {
    receive(message) {
      const messages = message.type === 'several' ? message.messages : [message];
      for (const one of messages) {
        take(inAwake(one, clocks));
        host.beat();
      }
    },
    calls: {
      configure: (config: SessionConfig) => void take({ type: 'configure', config }),
      command: (order: SessionCommand) => answerOf(take({ type: 'command', command: order })),
      settle() {
        take({ type: 'settle' });
        const settled = statusOf(state);
        return { ...settled, lastTickAwakeMs: settled.lastTickAwakeMs - clocks.toAwake(0) };
      },
    },
    stop() {
      stopTimer();
      stopLooks();
      proven.close();
    },
  };
}

function answerOf(effects: readonly SessionEffect[]): ReturnType<SessionCalls['command']> {
  for (const effect of effects) {
    if (effect.type === 'command.refused') return { ok: false, problem: effect.problem };
    if (effect.command) return { ok: true, result: effect.command.result };
  }
  return { ok: false, problem: problem('internal', 'The command had no effect.') };
}

/** Another boot, zone, a step of the wall clock, or a sleep. */
function hasMovedApart(then: Reading, now: Reading): boolean {
  const awakeMs = now.awakeMs - then.awakeMs;
  return (
    now.zone !== then.zone ||
    Math.abs(now.elapsedMs - then.elapsedMs - awakeMs) > APART_MS ||
    Math.abs(now.wallMs - then.wallMs - (now.elapsedMs - then.elapsedMs)) > APART_MS
  );
}

/** What other threads stamped, on the awake clock of readings. */
function inAwake(message: HeardBySession, clocks: Clocks): HeardBySession {
  switch (message.type) {
    case 'processes.snapshot':
      return {
        ...message,
        ...(message.atAwakeMs !== undefined && { atAwakeMs: clocks.toAwake(message.atAwakeMs) }),
        processes: message.processes.map((p) => ({ ...p, process: awakeProcess(p.process, clocks) })),
      };
    case 'process.started':
      return { ...message, process: awakeProcess(message.process, clocks) };
    case 'process.stopped':
      return { ...message, endedAwakeMs: awakeMoment(message.endedAwakeMs, clocks) };
    case 'process.played': {
      const process = awakeProcess(message.process, clocks);
      return { ...message, process, endedAwakeMs: awakeMoment(message.endedAwakeMs, clocks) };
    }
    default:
      return message;
  }
}

function awakeMoment(sharedMs: number | null, clocks: Clocks): number | null {
  return sharedMs === null ? null : clocks.toAwake(sharedMs);
}

function awakeProcess(process: PlayedProcess, clocks: Clocks): PlayedProcess {
  return { ...process, startedAwakeMs: clocks.toAwake(process.startedAwakeMs) };
}

/** Main adds the bias to the clock that threads share. */
function inShared(output: FromSession, clocks: Clocks): FromSession {
  return { ...output, trustedBiasMs: output.trustedBiasMs + clocks.toAwake(0) };
}
