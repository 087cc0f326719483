/**
 * A request until there is an answer: what is lost with a connection or a restart of the agent is asked again. Only for
 * what may be asked twice. Knows nothing of events or transports.
 */
import type { Clock } from '../protocol/ports.ts';
import { AgentError } from './agent-api.ts';
import { TimeoutError, within } from './deadline.ts';

/** An agent that restarts is back within this, ms. */
const INSIST_MS = 30_000;
const PAUSE_MS = 500;

/** Nobody answered: whether it was done is not known, and asking again is safe (a command: under its id). */
export class UnansweredError extends Error {
  /** null: it was no command, or a signed one, whose id stands in the signed text. */
  readonly commandId: string | null;

  constructor(message: string, commandId: string | null = null) {
    super(message);
    this.name = 'UnansweredError';
    this.commandId = commandId;
  }
}

export interface AnswerHost {
  readonly clock: Pick<Clock, 'monotonic' | 'after'>;
  /** The connection was closed: nothing is repeated any more. */
  stopped(): boolean;
}

export interface Patience {
  /** How long one answer may take, ms. */
  readonly ms: number;
  /** Whether one that takes longer is asked for again. */
  readonly repeatLate: boolean;
}

/** Rejects with AgentError when the agent refuses, else with what went wrong last. */
export async function untilAnswered<T>(
  { clock, stopped }: AnswerHost,
  { ms, repeatLate }: Patience,
  request: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  /** Counted from the first failure: a close may take minutes before its answer is lost. */
  let until: number | null = null;
  for (;;) {
    try {
      return await within(clock, ms, request);
    } catch (error) {
      until ??= clock.monotonic() + INSIST_MS;
      const refused = error instanceof AgentError && error.status < 500;
      const final = refused || (error instanceof TimeoutError && !repeatLate);
      const pause = Math.max(PAUSE_MS, retryAfterMs(error));
      if (final || stopped() || clock.monotonic() + pause > until) throw error;
      await new Promise<void>((resolve) => clock.after(pause, resolve));
    }
  }
}

const retryAfterMs = (error: unknown) =>
  (error instanceof AgentError ? error.problem?.retry_after_ms : undefined) ?? 0;
