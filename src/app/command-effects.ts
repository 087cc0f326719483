/**
 * What an accepted command does: which part of the agent carries it out, and what came of it. Whatever can be is
 * done in one transaction with its answer, so that neither a restart nor a repetition does it twice.
 */
import type { CloseReport, Command } from '../protocol/commands.ts';
import type { SessionCommand, SettleResult } from '../protocol/messages.ts';
import type { Answer, Clock } from '../protocol/ports.ts';
import {
  type CommandStorage,
  closeOutcomeOf,
  failedOutcome,
  type Outcome,
  recordOutcome,
} from './command-outcome.ts';

/**
 * How long a command waits for a session actor that is being restarted, ms, and how often it tries: longer than one
 * call may take, so that a late answer is waited for and not called a failure.
 */
const ACTOR_WAIT_MS = 15_000;
const ACTOR_RETRY_MS = 250;

export interface EffectPorts {
  readonly clock: Clock;
  readonly store: CommandStorage;
  /** An actor that is down answers `unavailable`. */
  readonly session: {
    command(command: SessionCommand): Promise<Answer<unknown>>;
    settle(): Promise<Answer<SettleResult>>;
  };
  readonly closeGames: (
    child: string,
    game: string | undefined,
    reason: string | undefined,
  ) => Promise<readonly CloseReport[]>;
}

/** Carries a command out; null: the agent stops first, and the command stays accepted for the next start. */
export type CommandEffects = (command: Command) => Promise<Outcome | null>;

export function createCommandEffects(ports: EffectPorts, stopping: () => boolean): CommandEffects {
  const { store, clock, session } = ports;

  /** A close that the agent's own stop cut short is left for the next start. */
  async function close(command: Extract<Command, { command: 'force_close' }>): Promise<Outcome | null> {
    const { game, reason } = command.parameters;
    const child = command.child_profile ?? '';
    const outcome = closeOutcomeOf(await ports.closeGames(child, game, reason));
    return outcome.status === 'error' && stopping() ? null : outcome;
  }

  /** The notification and its answer in one transaction: a restart cannot tell it twice. */
  function notify(command: Extract<Command, { command: 'send_notification' }>): Outcome {
    const { title, message, type = 'message' } = command.parameters;
    const { child_profile } = command;
    const outcome: Outcome = { status: 'success', result: { sent: true } };
    store.commit(() => {
      const data = { title, message, type, ...(child_profile !== null && { child_profile }) };
      store.log.append([{ type: 'notification', data }]);
      recordOutcome(store, command.command_id, outcome);
    });
    return outcome;
  }

  /**
   * The effect is committed together with its answer, and the actor knows the commands it has carried out: asking
   * again after a failure, a late answer or a disk that refused cannot do it twice.
   */
  async function bySession(command: SessionCommand): Promise<Outcome | null> {
    const giveUpAt = clock.monotonic() + ACTOR_WAIT_MS;
    for (;;) {
      const answer = await session.command(command);
      const done = store.commands.get(command.command_id)?.answer;
      if (done) return done;
      if (answer.ok) return { status: 'success', result: answer.value };
      if (answer.problem.slug !== 'unavailable' || clock.monotonic() >= giveUpAt) {
        return failedOutcome(answer.problem);
      }
      if (stopping()) return null;
      await new Promise<void>((resolve) => clock.after(ACTOR_RETRY_MS, resolve));
    }
  }

  return async (command) => {
    switch (command.command) {
      case 'force_close':
        return close(command);
      case 'send_notification':
        return notify(command);
      case 'get_live_status':
        throw new Error('a question is never accepted as a change');
      default:
        return bySession(command);
    }
  };
}
