/**
 * The long poll as a loop (contract D8): always with `after`, the stored position, so that nothing counts as
 * acknowledged before it is. Ends at the first failure; when to start again is link.ts's decision.
 */
import type { Clock } from '../protocol/ports.ts';
import type { Gap, Position } from '../protocol/position.ts';
import { type AgentApi, AgentError, type PollAnswer } from './agent-api.ts';

/** Events fetched at a time, and how many may be unacknowledged before nothing more is fetched. */
const BATCH = 256;
const WAIT_SECONDS = 20;
/** An answer that is held `WAIT_SECONDS` must be there a little later, ms. */
const ANSWER_TIMEOUT_MS = 30_000;
/** Pause between polls while the program has events it has not acknowledged: they would be returned at once. */
const UNACKNOWLEDGED_PAUSE_MS = 1_000;

/** No log has this epoch, so the agent reads from the oldest event it keeps (contract E5). */
export const BEFORE_EVERYTHING: Position = { epoch: 'none', offset: 0 };

export interface PollFailure {
  readonly refused: boolean;
  readonly slug: string | null;
  readonly retryAfterMs: number | null;
  readonly reason: string;
}

export interface PollLinkHost {
  readonly api: AgentApi;
  readonly clock: Pick<Clock, 'after'>;
  /** null: nothing was ever stored, the agent's cursor decides. */
  position(): Position | null;
  unacknowledged(): number;
  onAnswered(): void;
  onEvents(answer: PollAnswer): void;
  onGap(gap: Gap): void;
  onFailed(failure: PollFailure): void;
}

export interface PollLink {
  /** Something was stored: there is no need to pause any longer. */
  acknowledge(): void;
  stop(): void;
}

export function startPollLink(host: PollLinkHost): PollLink {
  const abort = new AbortController();
  let wake: (() => void) | null = null;
  /** The first poll does not wait, so that it is known at once whether the agent is there. */
  let answered = false;

  async function run(): Promise<void> {
    while (!abort.signal.aborted) {
      const unacknowledged = host.unacknowledged();
      if (unacknowledged < BATCH) await once(unacknowledged);
      if (host.unacknowledged() > 0) await pause();
    }
  }

  async function once(unacknowledged: number): Promise<void> {
    const from = host.position() ?? (await cursor());
    const wait = answered && unacknowledged === 0 ? WAIT_SECONDS : 0;
    const answer = await within((signal) => host.api.poll(from, unacknowledged + BATCH, wait, signal));
    if (abort.signal.aborted) return;
    answered = true;
    host.onAnswered();
    if (answer.gap && answer.gap.from.epoch !== BEFORE_EVERYTHING.epoch) host.onGap(answer.gap);
    host.onEvents(answer);
  }

  /** Where the agent has this client, asked for without moving it. */
  async function cursor(): Promise<Position> {
    const { acked_epoch, acked_offset } = await within((signal) => host.api.connect(signal));
    return acked_epoch === null ? BEFORE_EVERYTHING : { epoch: acked_epoch, offset: acked_offset };
  }

  async function within<T>(request: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const deadline = new AbortController();
    const stop = () => deadline.abort();
    abort.signal.addEventListener('abort', stop);
    const cancel = host.clock.after(ANSWER_TIMEOUT_MS, stop);
    try {
      return await request(deadline.signal);
    } finally {
      cancel();
      abort.signal.removeEventListener('abort', stop);
    }
  }

  function pause(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = host.clock.after(UNACKNOWLEDGED_PAUSE_MS, resolve);
      wake = () => {
        cancel();
        resolve();
      };
    });
  }

  run().catch((error: unknown) => {
    if (!abort.signal.aborted) host.onFailed(failureOf(error));
  });

  return {
    acknowledge: () => wake?.(),
    stop: () => {
      abort.abort();
      wake?.();
    },
  };
}

function failureOf(error: unknown): PollFailure {
  const reason = error instanceof Error ? error.message : String(error);
  if (!(error instanceof AgentError)) return { refused: false, slug: null, retryAfterMs: null, reason };
  return {
    // A 5xx passes by itself; what is refused for a reason stays refused for a while.
    refused: error.status < 500,
    slug: error.slug,
    retryAfterMs: error.problem?.retry_after_ms ?? null,
    reason,
  };
}
