/**
 * A connection to the agent: one stream of events over whichever transport works, in order, each once, from where
 * the program's stored position stands. Wires the pure parts (link.ts, inbox.ts, marks.ts) to the two links; all
 * that touches the platform is injected, so that it runs in a browser as it does in Node.
 */
import type { CommandAnswer } from '../protocol/commands.ts';
import type { DeliveredEvent } from '../protocol/events.ts';
import type { Position } from '../protocol/position.ts';
import {
  AgentApi,
  AgentError,
  type AgentStatus,
  type CommandRequest,
  type ConfirmAnswer,
  type UsageDay,
} from './agent-api.ts';
import { commandUntilAnswered } from './command-until-answered.ts';
import { within } from './deadline.ts';
import { type Arrival, Inbox, type Item } from './inbox.ts';
import {
  closeMeaning,
  INITIAL_LINK,
  type LinkEffect,
  type LinkInput,
  type LinkState,
  step,
  type Verdict,
} from './link.ts';
import { type PollFailure, type PollLink, startPollLink } from './poll-link.ts';
import type { ClientOptions, ConnectionState, Endpoint, Platform, ReceivedEvent } from './ports.ts';
import { PositionKeeper } from './position-keeper.ts';
import { type SocketEnd, type SocketLink, startSocketLink } from './socket-link.ts';
import { UnansweredError, untilAnswered } from './until-answered.ts';

/** A request that is not answered by then fails, ms. */
const REQUEST_TIMEOUT_MS = 15_000;
const TOKEN_ROTATED = 4501;

/** The agent told this client to stop coming back (contract W6, 4500 to 4999). */
export class StoppedError extends Error {
  /** The WebSocket close code. */
  readonly code: number;

  constructor(code: number, reason: string) {
    super(reason);
    this.name = 'StoppedError';
    this.code = code;
  }
}

export class Connection implements AsyncIterable<ReceivedEvent> {
  readonly #platform: Platform;
  readonly #options: ClientOptions;
  readonly #api: AgentApi;
  readonly #inbox: Inbox;
  readonly #keeper: PositionKeeper;
  readonly #listeners = new Set<(state: ConnectionState) => void>();
  readonly #timers = new Map<'socket' | 'poll', () => void>();
  #link: LinkState = INITIAL_LINK;
  #state: ConnectionState = { status: 'connecting', transport: null, reason: null };
  #socket: SocketLink | null = null;
  #poll: PollLink | null = null;
  /** Counts the attempts to open a socket: an endpoint that was resolved for an earlier one is not used. */
  #attempt = 0;
  #error: StoppedError | null = null;

  private constructor(platform: Platform, options: ClientOptions, positions: readonly Position[]) {
    this.#platform = platform;
    this.#options = options;
    this.#api = new AgentApi(platform.fetch, platform.resolve, options.clientId);
    this.#inbox = new Inbox(positions);
    const onStored = () => {
      this.#socket?.acknowledge();
      this.#poll?.acknowledge();
    };
    const { positions: store, clock } = platform;
    this.#keeper = new PositionKeeper({ store, clock, onStored }, positions);
  }

  /** Loads the stored position and starts connecting; does not wait for the agent. */
  static async open(platform: Platform, options: ClientOptions): Promise<Connection> {
    const connection = new Connection(platform, options, await platform.positions.load());
    connection.#input({ type: 'start', socket: options.transport !== 'polling' });
    return connection;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Where the program stands: stored and acknowledged up to here. */
  get position(): Position | null {
    return this.#keeper.position;
  }

  /** Called at each change of `state`; returns its stop. What it throws is uncaught in the program, as a timer's is. */
  onState(listener: (state: ConnectionState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Events in order, each once. Ends after `close()`, throws StoppedError when the agent said to stop, and what `onGap`
   * throws. One loop at a time: two would share the events.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<ReceivedEvent, void> {
    for (;;) {
      const item = await this.#inbox.next();
      if (item === null) break;
      if (item.kind === 'event') yield this.#handOut(item.event);
      else await this.#tell(item);
    }
    if (this.#error) throw this.#error;
  }

  /**
   * Stores the position and tells the agent: this event and all before it are done with. Rejects when the position
   * could not be stored: that is tried again until it works, and the event comes again if the program ends before.
   */
  async ack(event: Pick<DeliveredEvent, 'meta'>): Promise<void> {
    const { epoch, offset } = event.meta;
    if (!this.#inbox.received({ epoch, offset })) {
      throw new RangeError(`event ${epoch}/${offset} was never received`);
    }
    await this.#keeper.acknowledge(this.#inbox.acknowledge({ epoch, offset }));
  }

  /**
   * Carries out a command (contract section 7). A lost answer is asked for again under the same `command_id`, for
   * about 30 s. Rejects with AgentError when the agent refuses and with UnansweredError when it does not answer, both
   * with the `commandId` to ask again under; a command that was carried out but failed has `status: 'error'`.
   */
  command(request: CommandRequest): Promise<CommandAnswer> {
    const { clock } = this.#platform;
    return commandUntilAnswered({ api: this.#api, clock, stopped: () => this.#link.stopped }, request);
  }

  /**
   * Tells whether a session reached Firebase (contract H3). A lost answer is asked for again, for about 30 s. Rejects with
   * AgentError when the agent refuses and with UnansweredError when it does not answer.
   */
  async confirmSync(sessionId: string, success = true): Promise<ConfirmAnswer> {
    const host = { clock: this.#platform.clock, stopped: () => this.#link.stopped };
    const patience = { ms: REQUEST_TIMEOUT_MS, repeatLate: true };
    try {
      return await untilAnswered(host, patience, (signal) => this.#api.confirm(sessionId, success, signal));
    } catch (error) {
      throw error instanceof AgentError ? error : new UnansweredError(messageOf(error));
    }
  }

  /**
   * Asked once, as `usage` is. Rejects with AgentError when the agent refuses, NotRunningError when none is found,
   * TimeoutError when it does not answer, and as `fetch` does.
   */
  status(): Promise<AgentStatus> {
    return this.#within((signal) => this.#api.status(signal));
  }

  /** Usage by day; `from` and `to` are days like `2026-11-23`. */
  async usage(query: { child?: string; from?: string; to?: string } = {}): Promise<readonly UsageDay[]> {
    return (await this.#within((signal) => this.#api.usage(query, signal))).days;
  }

  /** Ends it: both transports, the iterator, and what is being stored. The agent keeps what was not acknowledged. */
  async close(): Promise<void> {
    this.#input({ type: 'close', reason: 'closed by the program' });
    await this.#keeper.close();
  }

  #handOut(event: DeliveredEvent): ReceivedEvent {
    // Not enumerable: the event prints, compares and serializes as what was sent.
    return Object.defineProperty(event, 'ack', { value: () => this.ack(event) }) as ReceivedEvent;
  }

  async #tell(item: Exclude<Item, { kind: 'event' }>): Promise<void> {
    try {
      await this.#options.onGap?.(item.gap);
    } catch (error) {
      this.#inbox.putBack(item);
      throw error;
    }
    const stored =
      item.kind === 'anew'
        ? this.#keeper.storeForgetting()
        : this.#keeper.acknowledge(this.#inbox.told(item.gap));
    // Not stored: the gap is told again after a restart, which is no loss.
    await stored.catch(() => {});
  }

  #offer(item: Arrival): boolean {
    return this.#inbox.offer(item) !== 'full';
  }

  /** The agent knows nothing of the position we stand at: what it sends from its own cursor on is new to us. */
  #forgetPosition(): void {
    const from = this.#keeper.position;
    if (!from) return;
    this.#keeper.forget();
    const to = { epoch: from.epoch, offset: 0 };
    this.#inbox.beginAnew({ from, to, lost: null, reason: 'the agent does not know this position' });
  }

  // ── the link machine and its effects ──────────────────────────────────────────────────────────────────────

  #input(input: LinkInput): void {
    const [next, effects] = step(this.#link, input);
    this.#link = next;
    for (const effect of effects) this.#carryOut(effect);
    if (next.stopped) {
      for (const cancel of this.#timers.values()) cancel();
      this.#timers.clear();
      this.#inbox.close();
    }
    this.#publish(stateOf(next));
  }

  #carryOut(effect: LinkEffect): void {
    switch (effect.type) {
      case 'socket.open':
        this.#cancelTimer('socket');
        void this.#openSocket();
        return;
      case 'socket.stop':
        this.#attempt++;
        this.#socket?.stop();
        this.#socket = null;
        return;
      case 'socket.wait':
        this.#socket = null;
        this.#setTimer('socket', effect.ms, { type: 'socket.due' });
        return;
      case 'poll.start':
        this.#poll = this.#startPoll();
        return;
      case 'poll.stop':
        this.#cancelTimer('poll');
        this.#poll?.stop();
        this.#poll = null;
        return;
      case 'poll.wait':
        this.#poll = null;
        this.#setTimer('poll', effect.ms, { type: 'poll.due' });
        return;
    }
  }

  #setTimer(name: 'socket' | 'poll', ms: number, input: LinkInput): void {
    this.#cancelTimer(name);
    const fire = () => this.#input(input);
    this.#timers.set(name, this.#platform.clock.after(ms, fire));
  }

  #cancelTimer(name: 'socket' | 'poll'): void {
    this.#timers.get(name)?.();
    this.#timers.delete(name);
  }

  async #openSocket(): Promise<void> {
    const attempt = ++this.#attempt;
    try {
      const endpoint = await this.#platform.resolve();
      if (attempt !== this.#attempt || this.#link.stopped) return;
      this.#socket = this.#startSocket(endpoint);
    } catch (error) {
      if (attempt !== this.#attempt) return;
      this.#socketClosed({ code: 1006, reason: messageOf(error), retryAfterMs: null }, 'resume');
    }
  }

  #startSocket(endpoint: Endpoint): SocketLink {
    const { openSocket, clock } = this.#platform;
    const { clientId, clientVersion } = this.#options;
    return startSocketLink(endpoint, {
      openSocket,
      clock,
      hello: () => {
        const resume = this.#keeper.position;
        return {
          type: 'hello',
          client_id: clientId,
          ...(clientVersion !== undefined && { client_version: clientVersion }),
          ...(resume && { resume }),
        };
      },
      onWelcome: () => this.#input({ type: 'socket.open', at: clock.monotonic() }),
      onEvent: (event) => this.#offer({ kind: 'event', event }),
      onGap: (gap) => this.#offer({ kind: 'gap', gap }),
      onEnd: (end) => void this.#socketEnded(end, endpoint),
      storedOffset: (epoch) => this.#keeper.storedOffset(epoch),
    });
  }

  async #socketEnded(end: SocketEnd, used: Endpoint): Promise<void> {
    if (end.positionUnknown) this.#forgetPosition();
    // With a token file at hand a rotated token is not the end: the new one is read.
    const rotated = end.code === TOKEN_ROTATED && (await this.#tokenChanged(used.token));
    this.#socketClosed(end, rotated || end.positionUnknown ? 'resume' : closeMeaning(end.code).verdict);
  }

  async #tokenChanged(used: string): Promise<boolean> {
    try {
      return (await this.#platform.resolve()).token !== used;
    } catch {
      // The agent cannot be found just now, so its new token cannot either: the next attempt says.
      return true;
    }
  }

  #socketClosed({ code, reason, retryAfterMs }: Omit<SocketEnd, 'positionUnknown'>, verdict: Verdict): void {
    if (this.#link.stopped) return;
    if (verdict === 'stop') this.#error = new StoppedError(code, reason);
    const at = this.#platform.clock.monotonic();
    const random = this.#platform.random();
    this.#input({ type: 'socket.closed', at, random, verdict, retryAfterMs, reason });
  }

  #startPoll(): PollLink {
    return startPollLink({
      api: this.#api,
      clock: this.#platform.clock,
      position: () => this.#keeper.position,
      unacknowledged: () => this.#inbox.unacknowledged,
      onAnswered: () => this.#input({ type: 'poll.answered' }),
      // What does not fit is returned by the next poll again.
      onEvents: ({ events }) =>
        events.filter((event) => this.#inbox.offer({ kind: 'event', event }) === 'taken').length,
      onGap: (gap) => void this.#offer({ kind: 'gap', gap }),
      onFailed: (failure) => this.#pollFailed(failure),
    });
  }

  #pollFailed({ refused, slug, retryAfterMs, reason }: PollFailure): void {
    const unknown = slug === 'offset-unknown';
    if (unknown) this.#forgetPosition();
    const random = this.#platform.random();
    this.#input({ type: 'poll.failed', random, refused: refused && !unknown, retryAfterMs, reason });
  }

  #within<T>(request: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return within(this.#platform.clock, REQUEST_TIMEOUT_MS, request);
  }

  #publish(state: ConnectionState): void {
    const { status, transport, reason } = this.#state;
    if (state.status === status && state.transport === transport && state.reason === reason) return;
    this.#state = state;
    for (const listener of this.#listeners) {
      try {
        listener(state);
      } catch (error) {
        // The program's mistake, and told as one: it must not stop the link that is at work here.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

function stateOf(link: LinkState): ConnectionState {
  const { reason } = link;
  if (link.stopped) return { status: 'stopped', transport: null, reason };
  if (link.socket === 'open') return { status: 'connected', transport: 'websocket', reason: null };
  if (link.pollWorks) return { status: 'connected', transport: 'polling', reason };
  const trying = link.socket === 'opening' && link.poll === 'off';
  return trying
    ? { status: 'connecting', transport: null, reason }
    : { status: 'waiting', transport: null, reason };
}
