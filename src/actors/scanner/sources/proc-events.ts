/**
 * Linux's process connector: the kernel says of every exec and exit when it happened, so nothing is polled. It is
 * subscribed before the first full look, so that nothing falls between the two. Per exec one link is read; a
 * program that ended before that read (about a millisecond, more where all cores are taken) cannot be known.
 */
import type { Look, LookCause } from '../behavior.ts';
import { type EventSocket, openEventSocket, type Received } from '../event-socket.ts';
import { PROC_EVENT_EXEC, PROC_EVENT_EXIT, PROC_EVENT_FORK, type ProcEvent } from '../netlink.ts';
import type { ProcReader } from '../proc.ts';
import type { ProcessSource, SourceContext, SourceSink } from '../source.ts';
import { Leaderless } from './leaderless.ts';

/** While no game runs only execs matter: a third of the wake-ups, and no thread's end is one. */
const MASK_IDLE = PROC_EVENT_EXEC;
const MASK_PLAYING = (PROC_EVENT_FORK | PROC_EVENT_EXEC | PROC_EVENT_EXIT) >>> 0;

/** The kernel answers a listen message at once or not at all (in a container it says nothing). */
const ANSWER_WITHIN_MS = 200;
/** Events handled in one go before timers and calls have their turn. */
const BATCH_MAX = 1_000;
/**
 * More events than wait in the socket's buffer (event-socket.ts): who handles so many has handled all that stood there
 * when it began. What comes meanwhile is not chased: whoever makes events faster than that would hold the thread for ever.
 */
const QUEUE_MAX = 32_768;
/** After an overflow not more than one full look in so long. */
const RESCAN_PAUSE_MS = 100;
/** A start or stop has so long to reach a client before more is looked at. */
const ADJUST_AFTER_MS = 2;
/** Every so many reconciles (five minutes) all processes are looked at again, not only those that are new: it costs ms. */
const THOROUGH_EVERY = 60;
/** Finding out that a number is nobody's any more takes as long as listing so many processes. */
const LISTED_FOR_ONE = 20;
/** So many pids after a game's own are looked at for children that it forked before forks were asked for. */
const CHILDREN_MAX = 64;

export interface ProcEventsOptions {
  readonly context: SourceContext;
  readonly reader: ProcReader;
  readonly open?: () => EventSocket;
}

export class ProcEventsSource implements ProcessSource {
  readonly name = 'proc-events';
  readonly #context: SourceContext;
  readonly #reader: ProcReader;
  readonly #options: ProcEventsOptions;
  #socket: EventSocket | null = null;
  #sink: SourceSink | null = null;
  #stopTimers = new Map<'reconcile' | 'rescan' | 'adjust', () => void>();
  /** Pids of which an event came during a full look: what was looked at may be older than the event. */
  #touched: Set<number> | null = null;
  readonly #leaderless: Leaderless;
  /** Whether exits and forks are asked for. */
  #playing = false;
  /** What happened before they were asked for is still to be looked up. */
  #owesLook = false;
  /** The processes that were listed last. */
  #known = new Set<number>();
  #newest = -1;
  #reconciles = 0;
  #rescannedAt = Number.NEGATIVE_INFINITY;

  constructor(options: ProcEventsOptions) {
    this.#options = options;
    this.#context = options.context;
    this.#reader = options.reader;
    this.#leaderless = new Leaderless({
      clock: this.#context.clock,
      afterExit: (pid) => this.#reader.afterExit(pid),
      ended: (pid, atMs, successor) => this.#ended(pid, atMs, successor),
    });
  }

  get lookEveryMs(): number {
    return this.#context.reconcileMs;
  }

  async start(sink: SourceSink): Promise<void> {
    let socket: EventSocket;
    try {
      socket = (this.#options.open ?? openEventSocket)();
      this.#socket = socket;
      socket.listen();
      await this.#answered(socket);
      socket.listen(MASK_IDLE);
      // What happened up to here is in the state that is looked at now.
      this.#drain(QUEUE_MAX);
      this.#sink = sink;
      this.#lookAround('rescan', true);
      socket.watch((received) => this.#hear(received));
    } catch (thrown) {
      this.#release();
      throw thrown;
    }
    this.#adjust();
    this.#every();
  }

  rescan(cause: LookCause): void {
    this.#drain(QUEUE_MAX);
    this.#lookAround(cause, true);
  }

  look(pids: readonly number[]): void {
    const looks = new Map(pids.map((pid) => [pid, this.#reader.look(pid, true)]));
    this.#sink?.observe({ type: 'looks', cause: 'watch', atMs: this.#context.clock.monotonic(), looks });
    this.#adjust();
  }

  async stop(): Promise<void> {
    this.#release();
  }

  #release(): void {
    this.#sink = null;
    for (const stop of this.#stopTimers.values()) stop();
    this.#leaderless.stop();
    this.#socket?.close();
    this.#socket = null;
  }

  async #answered(socket: EventSocket): Promise<void> {
    const { clock } = this.#context;
    const until = clock.monotonic() + ANSWER_WITHIN_MS;
    while (clock.monotonic() < until) {
      const received = socket.take();
      if (received.kind === 'failed') throw new Error(`no process connector: ${received.reason}`);
      if (received.kind === 'event' && received.event?.what === 'answer') {
        if (received.event.error === 0) return;
        throw new Error(`no process connector: refused with errno ${received.event.error}`);
      }
      if (received.kind === 'empty') await new Promise<void>((resolve) => clock.after(5, resolve));
    }
    throw new Error('no process connector: the kernel does not answer, as in a container');
  }

  #hear(received: Received): void {
    this.#receive(received);
    // What is left beyond a batch is told when timers and calls have had their turn.
    this.#drain(BATCH_MAX);
  }

  /** Handles what waits in the socket. */
  #drain(limit: number): void {
    for (let count = 0; count < limit && this.#socket; count++) {
      const received = this.#socket.take();
      if (received.kind === 'empty') return;
      this.#receive(received);
    }
  }

  #receive(received: Received): void {
    switch (received.kind) {
      case 'event':
        if (received.event) this.#event(received.event);
        break;
      case 'overflow':
        this.#sink?.overflowed();
        this.#rescanSoon();
        break;
      case 'empty':
        break;
      case 'failed': {
        const sink = this.#sink;
        this.#release();
        sink?.died(received.reason);
      }
    }
  }

  #event(event: ProcEvent): void {
    switch (event.what) {
      case 'exec':
        this.#touched?.add(event.pid);
        this.#leaderless.forget(event.pid);
        this.#exec(event.pid, event.atMs);
        break;
      case 'exit':
        if (event.leader) this.#touched?.add(event.pid);
        this.#exit(event.pid, event.leader, event.atMs);
        break;
      case 'fork':
        this.#touched?.add(event.child);
        this.#sink?.observe({ type: 'fork', parent: event.parent, child: event.child, atMs: event.atMs });
        break;
      case 'answer':
        break;
    }
  }

  #exec(pid: number, atMs: number): void {
    if (!this.#sink) return;
    const watched = this.#context.isWatched(pid);
    const look = this.#reader.look(pid, watched);
    if (!watched && look.is !== 'game') return;
    this.#sink.observe({ type: 'exec', pid, atMs, look });
    this.#adjustSoon();
  }

  /** The kernel is asked for what matters now, and what fell before that is looked up. */
  #adjust(): void {
    this.#ask(this.#context.watched().length > 0);
    if (this.#owesLook) this.#lookBehind();
  }

  /** The same, but what was just told goes first: a look would take the core from whoever hears it. */
  #adjustSoon(): void {
    if (this.#context.watched().length > 0) this.#ask(true);
    if (this.#stopTimers.has('adjust')) return;
    const adjust = () => {
      this.#stopTimers.delete('adjust');
      this.#adjust();
    };
    this.#stopTimers.set('adjust', this.#context.clock.after(ADJUST_AFTER_MS, adjust));
  }

  /** For exits and forks too, or for execs alone. Kernels before 6.6 send everything always. */
  #ask(playing: boolean): void {
    if (playing === this.#playing || !this.#socket) return;
    this.#playing = playing;
    this.#owesLook = playing;
    this.#socket.listen(playing ? MASK_PLAYING : MASK_IDLE);
  }

  /** What games did before exits and forks were asked for. */
  #lookBehind(): void {
    this.#owesLook = false;
    const watched = this.#context.watched();
    const newest = this.#reader.newestPid();
    const children = watched.flatMap((pid) => range(pid + 1, Math.min(newest, pid + CHILDREN_MAX)));
    const looks = new Map<number, Look>();
    for (const pid of children) {
      const look = this.#reader.look(pid, false);
      // What is no child of a game has an exec event of its own, perhaps not handled yet.
      const isChild = look.is === 'game' && watched.includes(look.sighting.parentPid);
      if (isChild && !this.#reader.isThread(pid)) looks.set(pid, look);
    }
    const atMs = this.#context.clock.monotonic();
    for (const pid of watched) {
      looks.set(pid, this.#reader.look(pid, true));
      if (this.#reader.afterExit(pid).is === 'threads') this.#leaderless.add(pid, atMs);
    }
    this.#sink?.observe({ type: 'looks', cause: 'watch', atMs, looks });
    // They may have ended already.
    this.#adjust();
  }

  #exit(pid: number, leader: boolean, atMs: number): void {
    if (!this.#context.isWatched(pid)) return;
    if (!leader) {
      this.#leaderless.threadEnded(pid, atMs);
      return;
    }
    const after = this.#reader.afterExit(pid);
    if (after.is === 'threads') this.#leaderless.add(pid, atMs);
    else this.#ended(pid, atMs, after.successor);
  }

  #ended(pid: number, atMs: number, successor: string | null): void {
    this.#leaderless.forget(pid);
    this.#sink?.observe({ type: 'exit', pid, atMs, successor });
    this.#adjustSoon();
  }

  #rescanSoon(): void {
    const { clock } = this.#context;
    const wait = Math.max(0, this.#rescannedAt + RESCAN_PAUSE_MS - clock.monotonic());
    this.#stopTimers.get('rescan')?.();
    this.#stopTimers.set(
      'rescan',
      clock.after(wait, () => this.rescan('rescan')),
    );
  }

  #every(): void {
    const { clock, reconcileMs } = this.#context;
    const reconcile = () => {
      this.#drain(QUEUE_MAX);
      this.#reconciles += 1;
      this.#lookAround('reconcile', this.#reconciles % THOROUGH_EVERY === 0);
      // Planned anew each time: a reload may have changed how often.
      if (this.#sink) this.#every();
    };
    this.#stopTimers.get('reconcile')?.();
    const seconds = Math.round(reconcileMs / 1_000);
    const stop = seconds < 1 ? clock.after(reconcileMs, reconcile) : clock.everySecond(reconcile, seconds);
    this.#stopTimers.set('reconcile', stop);
  }

  /**
   * Looks at the watched processes and at those that are new since the last time (`thorough`: at all), then lets
   * the events that came meanwhile go first: they are newer than what was looked at.
   */
  #lookAround(cause: LookCause, thorough: boolean): void {
    const sink = this.#sink;
    if (!sink) return;
    this.#touched = new Set();
    const atMs = this.#context.clock.monotonic();
    try {
      const looks = this.#looks(thorough);
      if (!this.#isFirst) this.#drain(QUEUE_MAX);
      for (const pid of this.#touched) looks.delete(pid);
      sink.observe({ type: 'looks', cause, atMs, looks, complete: true });
      if (!this.#isFirst) this.#adjust();
      if (thorough) this.#rescannedAt = atMs;
    } catch (thrown) {
      // Without the first look nothing is known: it does not start.
      if (this.#isFirst) throw thrown;
      sink.failed(thrown instanceof Error ? thrown.message : String(thrown));
    } finally {
      this.#touched = null;
    }
  }

  /** During the first look nothing is told yet: its events are handled after it. */
  get #isFirst(): boolean {
    return this.#rescannedAt === Number.NEGATIVE_INFINITY;
  }

  #looks(thorough: boolean): Map<number, Look> {
    const looks = new Map<number, Look>();
    for (const pid of this.#context.watched()) looks.set(pid, this.#reader.look(pid, true));
    const newest = this.#reader.newestPid();
    if (newest === this.#newest && !thorough) return looks;
    const few = thorough ? null : this.#fewSince(newest);
    const pids = few ?? this.#reader.pids();
    for (const pid of pids) {
      if (looks.has(pid) || (!thorough && this.#known.has(pid))) continue;
      const look = this.#reader.look(pid, false);
      if (look.is === 'game' && !(few && this.#reader.isThread(pid))) looks.set(pid, look);
    }
    this.#newest = newest;
    if (!few) this.#known = new Set(pids);
    return looks;
  }

  /** The pids given out since the last time, of threads too, if they are so few that listing all processes costs more. */
  #fewSince(newest: number): readonly number[] | null {
    const count = newest - this.#newest;
    return count > 0 && count * LISTED_FOR_ONE <= this.#known.size ? range(this.#newest + 1, newest) : null;
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
}
