/**
 * The long poll as a loop (contract D8): always with `after`, the stored position, so that nothing counts as
 * acknowledged before it is. Ends at the first failure; when to start again is link.ts's decision.
 */
import { HTTP_LIMITS } from '../protocol/http.ts';
import type { Clock } from '../protocol/ports.ts';
import type { Gap, Position } from '../protocol/position.ts';
import { type AgentApi, AgentError, type PollAnswer } from './agent-api.ts';
import { within } from './deadline.ts';

/** New events fetched at a time, and how many may be unacknowledged before nothing more is fetched. */
const BATCH = 256;
/** A link begins with so few and doubles them, so that one of 1 kB/s gets on too. */
const FIRST_BATCH = 16;
/** An answer that took longer is not followed by a larger one, ms. */
const QUICK_MS = 1_000;
const WAIT_SECONDS = 20;
/** An answer is there so long after it could have begun, ms. */
const ANSWER_TIMEOUT_MS = 10_000;
/**
 * Pause between polls that would be answered at once: with what is here already, since it is not stored yet, or with
 * nothing, since another program of this name ends each other's polls.
 */
const REPEAT_PAUSE_MS = 1_000;

export interface PollFailure {
  readonly refused: boolean;
  readonly slug: string | null;
  readonly retryAfterMs: number | null;
  readonly reason: string;
}

export interface PollLinkHost {
  readonly api: AgentApi;
  readonly clock: Pick<Clock, 'monotonic' | 'after'>;
  /** null: nothing was ever stored, the agent's cursor decides. */
  position(): Position | null;
  unacknowledged(): number;
  onAnswered(): void;
  /** Returns how many of them are new. */
  onEvents(answer: PollAnswer): number;
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
  let batch = FIRST_BATCH;
  /** Since the last poll was sent: the next one is not answered like it. */
  let storedMeanwhile = false;

  async function run(): Promise<void> {
    while (!abort.signal.aborted) {
      storedMeanwhile = false;
      const unacknowledged = host.unacknowledged();
      const repeats = unacknowledged >= BATCH || (await once(unacknowledged)) === 'nothing new';
      if (repeats || host.unacknowledged() > 0) await pause();
    }
  }

  async function once(unacknowledged: number): Promise<'nothing new' | 'done'> {
    const from = host.position() ?? (await cursor());
    const limit = Math.min(unacknowledged + batch, HTTP_LIMITS.maxPollEvents);
    const wait = answered && unacknowledged === 0 ? WAIT_SECONDS : 0;
    const sentAt = host.clock.monotonic();
    const answer = await ask(wait, (signal) => host.api.poll(from, limit, wait, signal));
    if (abort.signal.aborted) return 'done';
    answered = true;
    const tookMs = host.clock.monotonic() - sentAt;
    if (tookMs < QUICK_MS) batch = Math.min(2 * batch, BATCH);
    host.onAnswered();
    if (answer.gap) host.onGap(answer.gap);
    const fresh = host.onEvents(answer);
    if (answer.events.length > 0) return fresh === 0 ? 'nothing new' : 'done';
    const early = tookMs < (wait * 1_000) / 2;
    return early && !answer.gap ? 'nothing new' : 'done';
  }

  /** Where the agent has this client, asked for without moving it; null: where it was first seen. */
  async function cursor(): Promise<Position | null> {
    const { acked_epoch, acked_offset } = await ask(0, (signal) => host.api.connect(signal));
    return acked_epoch === null ? null : { epoch: acked_epoch, offset: acked_offset };
  }

  function ask<T>(waitSeconds: number, request: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return within(host.clock, waitSeconds * 1_000 + ANSWER_TIMEOUT_MS, request, abort.signal);
  }

  async function pause(): Promise<void> {
    if (storedMeanwhile || abort.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const cancel = host.clock.after(REPEAT_PAUSE_MS, resolve);
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
    acknowledge: () => {
      storedMeanwhile = true;
      wake?.();
    },
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
