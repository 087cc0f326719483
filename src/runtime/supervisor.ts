/**
 * The supervisor: starts children in order, watches them, restarts them by the rule of restart-rule.ts, stops them in
 * reverse. A child that crashes in a loop is parked and tried again later, or ends in `onGaveUp`. What a child is, a
 * thread or a server, it does not know.
 */
import type { ExitReason } from './actor.ts';
import type { ChildSpec, ChildState, Report, RunningChild } from './child.ts';
import type { RuntimeClock } from './clock.ts';
import { describeExit } from './exit.ts';
import { HANG_AFTER_MS, judge, look, startWatch, type Watch } from './heartbeat.ts';
import {
  afterExit,
  afterReady,
  CLEAN_HISTORY,
  RESTART_LIMITS,
  type RestartHistory,
  type RestartLimits,
} from './restart-rule.ts';
import { untilWholeSecond } from './second-hand.ts';
import { errorData } from './wire.ts';

/** `rest_for_one`: the children after the one that failed are stopped, and started again with it. */
export type Strategy = 'one_for_one' | 'rest_for_one';

/** The shortest pause between two looks at the beats, ms. */
const LOOK_PAUSE_MS = 100;

export interface SupervisorOptions {
  readonly name: string;
  readonly strategy: Strategy;
  readonly children: readonly ChildSpec[];
  readonly clock: RuntimeClock;
  /** From 0 to 1, for the jitter of the backoff. */
  readonly random: () => number;
  readonly limits?: RestartLimits | undefined;
  onReport(report: Report): void;
  /** A child with `give_up` is in a crash loop and is not started again. */
  onGaveUp(child: string, reason: string): void;
}

/** One child's place in the supervisor. */
interface Slot {
  readonly spec: ChildSpec;
  state: ChildState['state'];
  /** Counts starts. */
  incarnation: number;
  history: RestartHistory;
  running: RunningChild | null;
  /** A hang is reported and killed once. */
  condemned: RunningChild | null;
  /** Cancels the start that is planned for it. */
  cancelPlan: () => void;
  /** Changes with every decision about the child: what was awaited under an older one has no say any more. */
  ticket: number;
  /** Its launches and stops, one after the other. Never rejects. */
  queue: Promise<unknown>;
}

type Launch = { readonly kind: 'up' | 'superseded' } | { readonly kind: 'failed'; readonly error: unknown };

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #limits: RestartLimits;
  readonly #slots: readonly Slot[];
  #closed = false;
  #watch: Watch = startWatch(0);
  #stopLooks: () => void = () => {};
  #cancelSooner: () => void = () => {};

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#limits = options.limits ?? RESTART_LIMITS;
    this.#slots = options.children.map((spec) => ({
      spec,
      state: 'stopped',
      incarnation: 0,
      history: CLEAN_HISTORY,
      running: null,
      condemned: null,
      cancelPlan: () => {},
      ticket: 0,
      queue: Promise.resolve(),
    }));
  }

  /**
   * Starts all children in order. One that fails is tried again by the rule while the others start; if it is one with
   * `give_up`, what runs is stopped and its error thrown: at the first start nobody depends on this process yet.
   */
  async start(): Promise<void> {
    for (const slot of this.#slots) slot.state = 'starting';
    this.#stopLooks = this.#options.clock.everySecond(() => this.#look());
    this.#planSooner();
    const failure = await this.#bringUp(this.#slots, (slot) => slot.spec.onCrashLoop === 'give_up');
    if (failure === null) return;
    await this.stop();
    throw failure.error;
  }

  /** Stops all children in reverse order. Nothing is started afterwards. */
  async stop(): Promise<void> {
    this.#closed = true;
    this.#stopLooks();
    this.#cancelSooner();
    for (const slot of this.#slots) {
      this.#takeOver(slot);
      if (slot.state === 'starting') slot.spec.abort?.('it is not needed any more');
    }
    for (const slot of this.#slots.toReversed()) {
      await this.#end(slot);
      slot.state = 'stopped';
    }
  }

  /** How the children are, by id. */
  state(): Record<string, ChildState> {
    return Object.fromEntries(this.#slots.map((slot) => [slot.spec.id, stateOf(slot)]));
  }

  // ── up ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Starts these in order. A failed one does not hold up the others, unless they depend on it: then its own recovery
   * brings them up. One about which something else was decided meanwhile, since a child before it failed again, is left
   * to that decision. Returns the first failure that is fatal.
   */
  async #bringUp(
    slots: readonly Slot[],
    isFatal: (slot: Slot) => boolean = () => false,
  ): Promise<{ readonly error: unknown } | null> {
    const planned = slots.map((slot) => [slot, slot.ticket] as const);
    for (const [slot, ticket] of planned) {
      if (ticket !== slot.ticket) return null;
      const launch = await this.#launch(slot);
      if (launch.kind === 'superseded') return null;
      if (launch.kind === 'failed' && isFatal(slot)) return launch;
      if (launch.kind === 'failed' && this.#options.strategy === 'rest_for_one') return null;
    }
    return null;
  }

  #launch(slot: Slot): Promise<Launch> {
    if (this.#closed) return Promise.resolve({ kind: 'superseded' });
    const ticket = this.#takeOver(slot);
    slot.state = 'starting';
    const launch = slot.queue.then(() => this.#attempt(slot, ticket));
    slot.queue = launch;
    return launch;
  }

  async #attempt(slot: Slot, ticket: number): Promise<Launch> {
    if (ticket !== slot.ticket) return { kind: 'superseded' };
    slot.incarnation += 1;
    let running: RunningChild;
    try {
      running = await slot.spec.start(slot.incarnation);
    } catch (error) {
      if (ticket !== slot.ticket) return { kind: 'superseded' };
      this.#onExit(slot, { kind: 'never_ready', ...errorData(error) });
      return { kind: 'failed', error };
    }
    slot.running = running;
    // The stop that superseded this start waits in the queue behind it.
    if (ticket !== slot.ticket) return { kind: 'superseded' };
    slot.state = 'running';
    slot.history = afterReady(slot.history, this.#options.clock.monotonic());
    this.#report(slot, 'started', null);
    void running.exited.then((exit) => {
      if (ticket === slot.ticket) this.#onExit(slot, exit);
    });
    return { kind: 'up' };
  }

  // ── down ────────────────────────────────────────────────────────────────────────────────────────────────────

  #onExit(slot: Slot, exit: ExitReason): void {
    this.#takeOver(slot);
    slot.running = null;
    this.#report(slot, 'exited', describeExit(exit));
    const { clock, random } = this.#options;
    const [history, verdict] = afterExit(
      slot.history,
      exit,
      slot.spec.restart,
      clock.monotonic(),
      random,
      this.#limits,
    );
    slot.history = history;
    switch (verdict.kind) {
      case 'leave':
        slot.state = 'stopped';
        return;
      case 'restart':
        slot.state = 'restarting';
        this.#planRestart(slot, verdict.delayMs);
        this.#report(slot, 'restarting', null, verdict.delayMs);
        return;
      case 'crash_loop':
        if (slot.spec.onCrashLoop === 'give_up') {
          slot.state = 'stopped';
          this.#report(slot, 'gave_up', verdict.reason);
          this.#options.onGaveUp(slot.spec.id, verdict.reason);
          return;
        }
        slot.state = 'parked';
        this.#planRestart(slot, this.#limits.parkMs);
        this.#report(slot, 'parked', verdict.reason, this.#limits.parkMs);
    }
  }

  #planRestart(slot: Slot, delayMs: number): void {
    const dependents = this.#dependents(slot);
    for (const dependent of dependents) {
      this.#takeOver(dependent);
      dependent.state = 'restarting';
    }
    const { ticket } = slot;
    const ended = this.#endInOrder(dependents.toReversed());
    slot.cancelPlan = this.#options.clock.after(delayMs, async () => {
      await ended;
      if (ticket === slot.ticket) await this.#bringUp([slot, ...dependents]);
    });
  }

  /** The children that go down and up with this one. */
  #dependents(slot: Slot): readonly Slot[] {
    if (this.#options.strategy === 'one_for_one') return [];
    return this.#slots.slice(this.#slots.indexOf(slot) + 1).filter((later) => later.state !== 'stopped');
  }

  async #endInOrder(slots: readonly Slot[]): Promise<void> {
    for (const slot of slots) await this.#end(slot);
  }

  /** Stops what runs, behind whatever is under way for this child. */
  #end(slot: Slot): Promise<unknown> {
    slot.queue = slot.queue.then(async () => {
      const { running } = slot;
      if (running === null) return;
      await this.#shutDown(slot, running);
      slot.running = null;
      this.#report(slot, 'stopped', null);
    });
    return slot.queue;
  }

  /** Settles when the child has stopped or, past its time, was killed. */
  async #shutDown(slot: Slot, running: RunningChild): Promise<void> {
    const failure = await this.#stopInTime(running, slot.spec.shutdownMs);
    if (failure === null) return;
    this.#report(slot, 'stop_failed', failure);
    await running.kill?.(failure).catch(() => {});
  }

  #stopInTime(running: RunningChild, shutdownMs: number): Promise<string | null> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(shutdownMs, () =>
        resolve(`it did not stop within ${shutdownMs} ms`),
      );
      running
        .stop()
        .then(
          () => null,
          (error) => `its stop failed: ${errorData(error).message}`,
        )
        .then((failure) => {
          cancel();
          resolve(failure);
        });
    });
  }

  /** Voids every plan and expectation about a child; the new ticket is the caller's. */
  #takeOver(slot: Slot): number {
    slot.cancelPlan();
    slot.ticket += 1;
    return slot.ticket;
  }

  // ── watching ────────────────────────────────────────────────────────────────────────────────────────────────

  #look(): void {
    const now = this.#options.clock.monotonic();
    this.#watch = look(this.#watch, now, HANG_AFTER_MS);
    for (const slot of this.#slots) {
      const { running } = slot;
      const beat = running?.beat?.();
      if (slot.state !== 'running' || !running || !beat || slot.condemned === running) continue;
      if (judge(this.#watch, now, beat.lastBeatAgoMs, HANG_AFTER_MS) !== 'hung') continue;
      slot.condemned = running;
      const reason = `no heartbeat for ${Math.round(beat.lastBeatAgoMs)} ms`;
      this.#report(slot, 'hung', reason);
      void (running.kill ? running.kill(reason) : running.stop());
    }
    this.#planSooner();
  }

  /** The next look is on the whole second, or before it at the moment when a beat gets overdue. */
  #planSooner(): void {
    const { clock } = this.#options;
    const now = clock.monotonic();
    const left = this.#slots.map((slot) => HANG_AFTER_MS - (slot.running?.beat?.().lastBeatAgoMs ?? 0) + 1);
    const sooner = Math.max(LOOK_PAUSE_MS, Math.min(...left));
    const regular = untilWholeSecond(now);
    this.#watch = { ...this.#watch, dueMs: now + Math.min(sooner, regular) };
    this.#cancelSooner();
    if (sooner < regular) this.#cancelSooner = clock.after(sooner, () => this.#look());
  }

  #report(slot: Slot, kind: Report['kind'], reason: string | null, retryInMs: number | null = null): void {
    const report: Report = {
      supervisor: this.#options.name,
      child: slot.spec.id,
      kind,
      reason,
      incarnation: slot.incarnation,
      retryInMs,
    };
    try {
      this.#options.onReport(report);
    } catch (error) {
      // A listener's fault must not keep a child from its restart: it surfaces as an uncaught exception instead.
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

function stateOf(slot: Slot): ChildState {
  const beat = slot.state === 'running' ? slot.running?.beat?.() : undefined;
  return {
    state: slot.state,
    restarts: Math.max(0, slot.incarnation - 1),
    last_beat_ms_ago: beat ? Math.round(beat.lastBeatAgoMs) : null,
    last_work_ms_ago: beat ? Math.round(beat.lastWorkAgoMs) : null,
  };
}
