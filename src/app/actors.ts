/**
 * The long-lived actors as the app holds them: one name across all incarnations, and the child spec that the
 * supervisor starts it by. What is posted while nobody lives is dropped: a fresh incarnation is told everything anew.
 */
import type { Answer } from '../protocol/ports.ts';
import { problem } from '../protocol/problems.ts';
import type { CallMap, CallResult, ExitReason } from '../runtime/actor.ts';
import type { ChildSpec, RunningChild } from '../runtime/child.ts';
import { describeExit } from '../runtime/exit.ts';
import { type SpawnedActor, type SpawnOptions, spawnActor } from '../runtime/handle.ts';

/** How long an actor may take to stop when asked, ms. */
const SHUTDOWN_MS = 1_000;
/** How long an actor may take until it is ready, ms: a first scan of a busy machine is in it. */
const READY_MS = 10_000;

/** What an actor's heap may grow to, MB: many times what it needs, and little enough for a modest PC. */
const HEAP_MB = 96;

type Spawning<Init, In, Out> = Omit<
  SpawnOptions<Init, In, Out>,
  'init' | 'incarnation' | 'readyTimeoutMs'
> & {
  /** Made anew for each incarnation. */
  readonly init: () => Init;
  /** A fresh incarnation is ready: what must it be told? */
  readonly onReady?: () => void;
  /** One that was ready has ended. */
  readonly onGone?: () => void;
};

export class LiveActor<Init, In, Out, Calls extends CallMap<Calls>> {
  readonly #options: Spawning<Init, In, Out>;
  #current: SpawnedActor<In, Calls> | null = null;
  #starting: SpawnedActor<In, Calls> | null = null;

  constructor(options: Spawning<Init, In, Out>) {
    this.#options = options;
  }

  post(message: In): void {
    this.#current?.handle.post(message);
  }

  /** Settles always; why there is no value is a problem that a client can be shown. */
  async call<K extends keyof Calls & string>(
    name: K,
    args: Parameters<Calls[K]>,
    deadlineMs?: number,
  ): Promise<Answer<Awaited<ReturnType<Calls[K]>>>> {
    const { id } = this.#options;
    if (!this.#current) return unavailable(`The ${id} is not running.`);
    const result = await this.#current.handle.call(name, args, deadlineMs);
    return result.ok ? result : unavailable(`The ${id} did not answer: ${describeFailure(result)}.`);
  }

  /** How long its next piece of work is overdue, ms; null: it is not up. */
  overdueMs(): number | null {
    return this.#current?.overdueMs() ?? null;
  }

  spec(): ChildSpec {
    const { id } = this.#options;
    return {
      id,
      restart: 'permanent',
      shutdownMs: SHUTDOWN_MS,
      start: (incarnation) => this.#start(incarnation),
      abort: (reason) => void this.#starting?.kill(reason),
    };
  }

  async #start(incarnation: number): Promise<RunningChild> {
    const { init, onReady, onGone, ...options } = this.#options;
    const spawned = spawnActor<Init, In, Out, Calls>({
      ...options,
      init: init(),
      incarnation,
      readyTimeoutMs: READY_MS,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    });
    void spawned.exited.then(() => {
      if (this.#current !== spawned) return;
      this.#current = null;
      onGone?.();
    });
    this.#starting = spawned;
    const ready = await spawned.ready;
    this.#starting = null;
    if (!ready.ok) throw new Error(withoutState(ready.exit));
    this.#current = spawned;
    onReady?.();
    return {
      exited: spawned.exited,
      stop: () => spawned.stop(SHUTDOWN_MS),
      kill: (reason) => spawned.kill(reason),
      beat: () => ({ lastBeatAgoMs: spawned.lastBeatAgoMs(), lastWorkAgoMs: spawned.lastWorkAgoMs() }),
    };
  }
}

/** Why it never became ready; that it did not is said by whoever reports it. */
function withoutState(exit: ExitReason): string {
  if (exit.kind !== 'never_ready') return describeExit(exit);
  return [exit.message, ...(exit.cause === undefined ? [] : [exit.cause])].join(': ');
}

function unavailable(detail: string): { readonly ok: false; readonly problem: ReturnType<typeof problem> } {
  return { ok: false, problem: problem('unavailable', detail, { retryAfterMs: 1_000 }) };
}

function describeFailure(result: Extract<CallResult<unknown>, { ok: false }>): string {
  const { failure } = result;
  switch (failure.kind) {
    case 'deadline':
      return `nothing came within ${failure.afterMs} ms`;
    case 'threw':
      return failure.message;
    default:
      return failure.reason;
  }
}
