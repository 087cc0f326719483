/**
 * The shell of an actor on the main thread: one incarnation of it, from spawn to exit. Everything that begins here
 * settles: `ready`, `exited`, every call. What an incarnation says after its end is not heard. Restarting is the
 * supervisor's business.
 */
import { type ResourceLimits, Worker } from 'node:worker_threads';
import { type Remote, releaseProxy, wrap } from 'comlink/dist/esm/comlink.mjs';
import type { ActorHandle, CallMap, CallResult, ExitReason } from './actor.ts';
import type { RuntimeClock } from './clock.ts';
import { describeExit, exitOf, type Fate } from './exit.ts';
import { Mailbox } from './mailbox.ts';
import { CALL_DEADLINE_MS, failed, MAX_OVERDUE_CALLS, OutstandingCalls } from './outstanding-calls.ts';
import type { PoisonRegister, Sent } from './poison.ts';
import { Vitals } from './vitals.ts';
import { callEndpoint, type Dispatch, type FromThread, type StartData, type ToThread } from './wire.ts';

/** terminate() ends JavaScript in ms, but not a native call; after so long the thread is left to itself, ms. */
export const ABANDON_AFTER_MS = 1_000;
/** How often a held state message asks whether there is room now, ms. */
const RELEASE_EVERY_MS = 100;

let abandoned = 0;

/** Threads of this process that were left to themselves and have not ended since: process.exit() would wait for them. */
export function abandonedThreads(): number {
  return abandoned;
}

export interface SpawnOptions<Init, In, Out> {
  readonly id: string;
  /** The bundled `*.worker.ts`. */
  readonly file: URL;
  readonly init: Init;
  /** Which life of the actor this is, from 1. */
  readonly incarnation: number;
  readonly readyTimeoutMs: number;
  /** How long a killed thread may take to end, ms; left out: `ABANDON_AFTER_MS`. */
  readonly abandonAfterMs?: number | undefined;
  /** Every message of this incarnation, from before it is ready until it has exited or was killed. Must not throw. */
  onMessage(message: Out): void;
  readonly clock: RuntimeClock;
  readonly resourceLimits?: ResourceLimits | undefined;
  /** The key under which a state message replaces its predecessor in a full mailbox; null (the default): an event. */
  readonly coalesceKey?: ((message: In) => string | null) | undefined;
  /** Shared by all incarnations of an actor. */
  readonly poison?: PoisonRegister | undefined;
  /** Main's beat, for the one actor that watches over main. */
  readonly mainBeat?: SharedArrayBuffer | undefined;
}

export type ReadyResult = { readonly ok: true } | { readonly ok: false; readonly exit: ExitReason };

export interface SpawnedActor<In, Calls extends CallMap<Calls>> {
  readonly handle: ActorHandle<In, Calls>;
  readonly ready: Promise<ReadyResult>;
  readonly exited: Promise<ExitReason>;
  lastBeatAgoMs(): number;
  /** Since the last real work, or since the start if there was none yet. */
  lastWorkAgoMs(): number;
  /** By how much its next work is overdue; 0: nothing is. */
  overdueMs(): number;
  /** Asks it to end, waits so long, then kills it. Messages that it posts meanwhile are still heard. */
  stop(shutdownMs: number): Promise<ExitReason>;
  /** Ends it at once; from here on it is not heard. */
  kill(reason: string): Promise<ExitReason>;
}

/** Starts an actor in a thread of its own. */
export function spawnActor<Init, In, Out, Calls extends CallMap<Calls>>(
  options: SpawnOptions<Init, In, Out>,
): SpawnedActor<In, Calls> {
  return new Incarnation<Init, In, Out, Calls>(options);
}

class Incarnation<Init, In, Out, Calls extends CallMap<Calls>> implements SpawnedActor<In, Calls> {
  readonly handle: ActorHandle<In, Calls>;
  readonly ready: Promise<ReadyResult>;
  readonly exited: Promise<ExitReason>;

  readonly #options: SpawnOptions<Init, In, Out>;
  readonly #worker: Worker;
  readonly #vitals = new Vitals();
  readonly #mailbox: Mailbox<In>;
  readonly #outstanding: OutstandingCalls;
  readonly #calls: ReturnType<typeof callEndpoint>;
  readonly #remote: Remote<Dispatch>;
  readonly #settleReady: (result: ReadyResult) => void;
  readonly #settleExited: (exit: ExitReason) => void;
  readonly #timers = new Set<() => void>();
  /** Nothing goes in any more: asked to stop, killed, or over. */
  #closed = false;
  /** Nothing comes out any more: killed, or over. */
  #deaf = false;
  /** Everything has settled. An abandoned thread may still exit after that. */
  #ended = false;
  #fate: Fate = { ready: false, stopped: false, killed: null, error: null };
  #releasing = false;
  #seq = 0;

  constructor(options: SpawnOptions<Init, In, Out>) {
    this.#options = options;
    this.#mailbox = new Mailbox(options.coalesceKey ?? (() => null));
    this.#outstanding = new OutstandingCalls(options.clock);
    [this.ready, this.#settleReady] = settleable<ReadyResult>();
    [this.exited, this.#settleExited] = settleable<ExitReason>();
    this.#vitals.beat(options.clock.monotonic());
    this.#vitals.worked(options.clock.monotonic(), 0);

    const workerData: StartData = {
      init: options.init,
      vitals: this.#vitals.buffer,
      mainBeat: options.mainBeat ?? null,
    };
    this.#worker = new Worker(options.file, {
      name: options.id,
      workerData,
      ...(options.resourceLimits && { resourceLimits: options.resourceLimits }),
    });
    this.#worker.on('message', (sent: FromThread) => this.#hear(sent));
    this.#worker.on('error', (error) => {
      this.#fate.error ??= error;
    });
    this.#worker.once('exit', (code) => this.#over(exitOf(this.#fate, code)));

    this.#calls = callEndpoint((call) => this.#send(call));
    this.#remote = wrap<Dispatch>(this.#calls.endpoint);
    this.#after(options.readyTimeoutMs, () => {
      if (!this.#fate.ready) void this.kill(`not ready after ${options.readyTimeoutMs} ms`);
    });
    this.handle = {
      id: options.id,
      incarnation: options.incarnation,
      post: (message) => this.#post(message),
      call: (name, args, deadlineMs) =>
        this.#call(name, args, deadlineMs) as Promise<CallResult<Awaited<ReturnType<Calls[typeof name]>>>>,
    };
  }

  lastBeatAgoMs(): number {
    return Math.max(0, this.#options.clock.monotonic() - this.#vitals.lastBeatMs);
  }

  lastWorkAgoMs(): number {
    return Math.max(0, this.#options.clock.monotonic() - this.#vitals.lastWorkMs);
  }

  overdueMs(): number {
    const due = this.#vitals.workDueMs;
    return due === 0 ? 0 : Math.max(0, this.#options.clock.monotonic() - due);
  }

  stop(shutdownMs: number): Promise<ExitReason> {
    if (!this.#closed) {
      this.#send({ control: 'stop' });
      this.#closed = true;
      this.#after(shutdownMs, () => void this.kill(`did not stop within ${shutdownMs} ms`));
    }
    return this.exited;
  }

  kill(reason: string): Promise<ExitReason> {
    if (this.#deaf) return this.exited;
    this.#closed = true;
    this.#deaf = true;
    this.#fate.killed = reason;
    this.#accusePoison();
    this.#outstanding.down(reason);
    this.#after(this.#options.abandonAfterMs ?? ABANDON_AFTER_MS, () => {
      this.#worker.unref();
      abandoned += 1;
      this.#worker.once('exit', () => {
        abandoned -= 1;
      });
      this.#over({ kind: 'abandoned', reason });
    });
    void this.#worker.terminate();
    return this.exited;
  }

  #hear(sent: FromThread): void {
    if (this.#deaf) return;
    if ('message' in sent) {
      this.#options.onMessage(sent.message as Out);
    } else if ('call' in sent) {
      this.#calls.deliver(sent.call);
    } else if (sent.control === 'ready') {
      this.#fate.ready = true;
      this.#settleReady({ ok: true });
    } else {
      this.#fate.stopped = true;
    }
  }

  #post(message: In): void {
    const { poison } = this.#options;
    if (this.#closed || (poison && !poison.admits({ message }))) return;
    this.#releaseHeld();
    switch (this.#mailbox.admit(message, this.#vitals.lastProcessed)) {
      case 'post':
        this.#postNow(message);
        break;
      case 'hold':
        this.#releaseLater();
        break;
      case 'overflow':
        void this.kill('its mailbox is full');
    }
  }

  #postNow(message: In): void {
    const seq = this.#nextSeq();
    this.#mailbox.sent(seq, message);
    this.#send({ seq, message });
  }

  #releaseHeld(): void {
    for (const message of this.#mailbox.release(this.#vitals.lastProcessed)) this.#postNow(message);
  }

  /** Keeps one timer going as long as something is held. */
  #releaseLater(): void {
    if (this.#releasing) return;
    this.#releasing = true;
    this.#after(RELEASE_EVERY_MS, () => {
      this.#releasing = false;
      if (this.#closed) return;
      this.#releaseHeld();
      if (this.#mailbox.holding) this.#releaseLater();
    });
  }

  async #call(
    name: string,
    args: readonly unknown[],
    deadlineMs = CALL_DEADLINE_MS,
  ): Promise<CallResult<unknown>> {
    const sent: Sent = { call: name, args };
    if (this.#outstanding.overdue >= MAX_OVERDUE_CALLS) void this.kill('it does not answer its calls');
    if (this.#closed) return failed({ kind: 'down', reason: this.#fate.killed ?? 'it is stopping' });
    if (this.#options.poison?.admits(sent) === false) return failed({ kind: 'refused', reason: 'set_aside' });
    if (this.#outstanding.full) return failed({ kind: 'refused', reason: 'busy' });
    const seq = this.#nextSeq();
    return this.#outstanding.wait(seq, sent, this.#remote(seq, name, args), deadlineMs);
  }

  #over(exit: ExitReason): void {
    if (this.#ended) return;
    this.#ended = true;
    if (!this.#deaf) this.#accusePoison();
    this.#closed = true;
    this.#deaf = true;
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
    this.#outstanding.down(describeExit(exit));
    // comlink's registry holds the endpoint, which holds this object, which holds the proxy it waits for.
    this.#remote[releaseProxy]();
    this.#settleReady({ ok: false, exit });
    this.#settleExited(exit);
  }

  /** What the thread was inside of when it died may be why it died. */
  #accusePoison(): void {
    const inside = this.#vitals.current;
    if (inside === 0) return;
    const call = this.#outstanding.find(inside);
    const message = this.#mailbox.find(inside);
    if (call) this.#options.poison?.killed(call);
    else if (message !== undefined) this.#options.poison?.killed({ message });
  }

  #send(sent: ToThread): void {
    this.#worker.postMessage(sent);
  }

  #nextSeq(): number {
    this.#seq += 1;
    return this.#seq;
  }

  /** A timer that goes with the incarnation. */
  #after(ms: number, fn: () => void): void {
    const cancel = this.#options.clock.after(ms, () => {
      this.#timers.delete(cancel);
      fn();
    });
    this.#timers.add(cancel);
  }
}

function settleable<T>(): readonly [promise: Promise<T>, settle: (value: T) => void] {
  let settle: (value: T) => void = () => {};
  const promise = new Promise<T>((resolve) => {
    settle = resolve;
  });
  return [promise, settle];
}
