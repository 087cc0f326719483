/**
 * The state machine of one WebSocket client (contract W1 to W7, D2, D6, D7), free of sockets: hello, welcome,
 * window, acknowledgement, gaps, a slow client, and each reason to close. What it reads and where it stands is the
 * ClientFeed's; which connections displace each other is the hub's.
 */
import { type ClientFrame, type HelloFrame, WS_LIMITS } from '../protocol/frames.ts';
import { DEFAULT_CLIENT } from '../protocol/http.ts';
import type { AgentDesk, ClientStore, EventLog, Role, TickingClock } from '../protocol/ports.ts';
import type { Gap, Position } from '../protocol/position.ts';
import { CLOSE_CODES, type CloseCode, type Problem, problem } from '../protocol/problems.ts';
import { rateWindow } from '../protocol/rate-window.ts';
import { type Batch, ClientFeed, joinGaps, sameGap } from './client-feed.ts';
import { Flight } from './flight.ts';
import { commandRefusedText, errorFrameText, readFrame, readHello, writeFrame } from './session-frames.ts';
import type { SendResult, Socket, SocketEvents } from './socket.ts';

export type SessionMode = 'simple' | 'reliable';

/** What every session of a server shares. */
export interface SessionContext {
  readonly log: EventLog;
  readonly clients: ClientStore;
  readonly desk: Pick<AgentDesk, 'agentId' | 'command'>;
  readonly clock: TickingClock;
  /** Told before the welcome: the session now is this client's one socket. */
  identified(session: ClientSession): void;
  closed(session: ClientSession): void;
  failed(where: string, error: unknown): void;
}

export interface SessionStart {
  readonly mode: SessionMode;
  readonly role: Role;
  /** Named in the URL; null: not. */
  readonly clientId: string | null;
  /** The token it showed, required or not, to be checked again when that changes; null: none. */
  readonly token: string | null;
  /** The page it came from, to be checked again after a reload; null: it is no page's. */
  readonly origin: string | null;
}

/** Frames that answer a client bypass the window: one that asks and does not read is too slow beyond this. */
const MAX_BUFFERED_BYTES = 512 * 1024;
/** Commands of one socket that may wait for their result; more are refused, as a second's 20 are long under way. */
const MAX_WAITING_COMMANDS = 32;

export class ClientSession implements SocketEvents {
  readonly start: SessionStart;
  readonly #socket: Socket;
  readonly #context: SessionContext;
  readonly #flight: Flight;
  readonly #badFrames = rateWindow(WS_LIMITS.badFramesPerMinute, 60_000);
  #state: 'hello' | 'live' | 'closed' = 'hello';
  #feed: ClientFeed | null = null;
  /** Named clients are replaced for good, nameless ones come back (contract W6). */
  #named: boolean;
  /** Sent up to here on this link. */
  #at: Position;
  /** The gap that `welcome` told, so that it is not told again in its place. */
  #toldGap: Gap | null = null;
  /** The socket's buffer is not empty: nothing more is sent before it drains. */
  #full = false;
  #pushing = false;
  /** Commands whose result is still to be sent. */
  #commands = 0;
  #heardMs: number;
  #pingedMs: number;
  #stopHelloTimer: () => void = () => {};
  #stopPulse: () => void = () => {};

  constructor(socket: Socket, start: SessionStart, context: SessionContext) {
    this.start = start;
    this.#socket = socket;
    this.#context = context;
    this.#named = start.clientId !== null;
    this.#flight = new Flight((a, b) => context.log.compare(a, b));
    this.#at = context.log.latest();
    this.#heardMs = context.clock.monotonic();
    this.#pingedMs = this.#heardMs;
  }

  /** The socket is open: a simple client is welcomed, a reliable one has to say hello. */
  begin(): void {
    this.#stopPulse = this.#context.clock.everySecond(() => this.#pulse());
    const { clientId, mode } = this.start;
    if (mode === 'simple') this.#welcome(clientId ?? DEFAULT_CLIENT, undefined);
    else this.#stopHelloTimer = this.#context.clock.after(WS_LIMITS.helloTimeoutMs, () => this.close(4500));
  }

  /** null before the hello. */
  get clientId(): string | null {
    return this.#feed?.clientId ?? null;
  }

  get named(): boolean {
    return this.#named;
  }

  // ── what the socket tells ───────────────────────────────────────────────────────────────────────────────────

  message(text: string | null): void {
    this.#heardMs = this.#context.clock.monotonic();
    if (this.#state === 'hello') this.#handshake(text);
    else if (this.#state === 'live') {
      const read = readFrame(text);
      if (read.ok) this.#handle(read.frame);
      else this.#misunderstood(read.problem);
    }
  }

  ping(): void {
    this.#heardMs = this.#context.clock.monotonic();
  }

  pong(payload: string): void {
    this.#heardMs = this.#context.clock.monotonic();
    if (this.#state !== 'live') return;
    const at = this.#flight.matched(payload);
    if (at) this.#accept(at);
  }

  drain(): void {
    if (this.#socket.bufferedBytes() > 0) return;
    this.#full = false;
    this.push();
  }

  /** The socket is gone, whoever closed it. */
  closed(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#stopHelloTimer();
    this.#stopPulse();
    this.#context.closed(this);
  }

  // ── what the server tells ───────────────────────────────────────────────────────────────────────────────────

  /** Sends what follows, as far as window and socket allow. Called on every append: no timer, no await. */
  push(): void {
    const feed = this.#feed;
    if (this.#state !== 'live' || this.#full || this.#pushing || !feed) return;
    this.#pushing = true;
    let dropped = false;
    try {
      this.#socket.batch(() => {
        dropped = !this.#sendBatches(feed);
      });
      if (this.#socket.bufferedBytes() > 0) this.#full = true;
    } finally {
      this.#pushing = false;
    }
    if (dropped) this.close(4001);
  }

  /** The client acknowledged over the other transport (contract D9): `from` is where the cursor stood before. */
  cursorMoved(from: Position | null, to: Position): void {
    if (this.#state !== 'live') return;
    const { log, clock } = this.#context;
    this.#flight.acknowledged(to, clock.monotonic());
    // A link that reads again from below the cursor was asked to: it is not moved on.
    const rereads = from !== null && log.compare(this.#at, from) < 0;
    if (!rereads && log.compare(this.#at, to) < 0) this.#at = to;
    this.push();
  }

  /** Says `bye` and closes. */
  close(code: CloseCode): void {
    this.#end(code, CLOSE_CODES[code].retryAfterMs, CLOSE_CODES[code].reason);
  }

  /** Closes after the client said over HTTP that it leaves. */
  leave(): void {
    this.#end(1000, 0, 'disconnected');
  }

  // ── handshake ───────────────────────────────────────────────────────────────────────────────────────────────

  #handshake(text: string | null): void {
    const read = readHello(text);
    if (!read.ok) {
      this.#refuse(read.problem);
      return;
    }
    const name = read.frame.client_id ?? this.start.clientId;
    this.#named = name !== null;
    this.#welcome(name ?? DEFAULT_CLIENT, read.frame.resume);
  }

  #welcome(clientId: string, resume: HelloFrame['resume']): void {
    const { log, clients, desk } = this.#context;
    if (typeof resume === 'object' && log.locate(resume) === 'ahead') {
      this.close(4504);
      return;
    }
    if (!clients.open(clientId)) {
      this.#refuse(problem('too-many-clients', 'Eight clients are remembered already.'));
      return;
    }
    this.#stopHelloTimer();
    const feed = new ClientFeed(clientId, log, clients);
    this.#feed = feed;
    this.#context.identified(this);
    const cursor = feed.cursor();
    const start = feed.startAt(resume === 'now' ? log.latest() : (resume ?? feed.position()));
    this.#at = start.at;
    const gap = joinGaps(start.gap, start.gap ? null : log.nextGap(start.at));
    this.#toldGap = gap;
    const ends = log.ends();
    this.#answer(
      writeFrame({
        type: 'welcome',
        message: 'Playwarden is listening.',
        protocol: 1,
        client_id: clientId,
        agent_id: desk.agentId,
        epoch: ends.epoch,
        first_offset: ends.firstOffset,
        last_offset: ends.lastOffset,
        acked_epoch: cursor?.epoch ?? null,
        acked_offset: cursor?.offset ?? 0,
        recovered: gap === null,
        gap,
        timestamp: this.#timestamp(),
      }),
    );
    if (this.#state === 'closed') return;
    this.#state = 'live';
    this.push();
  }

  #refuse(reason: Problem): void {
    this.#answer(errorFrameText(reason));
    this.close(4500);
  }

  // ── frames ──────────────────────────────────────────────────────────────────────────────────────────────────

  #handle(frame: ClientFrame): void {
    switch (frame.type) {
      case 'ack':
        this.#acknowledge({ epoch: frame.epoch, offset: frame.offset });
        break;
      case 'ping':
        this.#answer(writeFrame({ type: 'pong', timestamp: this.#timestamp() }));
        break;
      case 'desktop_ready':
        break;
      case 'command':
        this.#command(frame.payload);
        break;
      case 'hello':
        this.#misunderstood(problem('bad-request', 'A hello comes once, as the first frame.'));
        break;
      default:
        frame satisfies never;
    }
  }

  #acknowledge(to: Position): void {
    const { log } = this.#context;
    const place = log.locate(to);
    // Of an epoch that is forgotten: it says nothing about what is in flight (contract E5). One that is over and known
    // counts: a slow client has its events in hand while those of the next are sent already.
    if (place === 'unknown') return;
    const sent = log.compare(to, this.#at) <= 0 || this.#feed?.mayHave(to) === true;
    if (place === 'known' && sent) this.#accept(to);
    else this.close(4504);
  }

  /** Everything up to `to` is in the client's hands. */
  #accept(to: Position): void {
    const { log, clock } = this.#context;
    this.#flight.acknowledged(to, clock.monotonic());
    this.#feed?.acknowledge(to);
    // It had this over the other transport: not sent again.
    if (log.compare(this.#at, to) < 0) this.#at = to;
    this.push();
  }

  #command(payload: unknown): void {
    const { desk } = this.#context;
    if (this.#commands >= MAX_WAITING_COMMANDS) {
      const detail = `${MAX_WAITING_COMMANDS} commands of this connection wait for their result already.`;
      this.#answer(
        commandRefusedText(payload, problem('too-many-commands', detail, { retryAfterMs: 1_000 })),
      );
      return;
    }
    this.#commands += 1;
    desk
      .command(payload, this.start.role)
      .then(
        (answer) =>
          answer.ok
            ? writeFrame({ type: 'command_result', ...answer.value })
            : commandRefusedText(payload, answer.problem),
        (error: unknown) => {
          this.#context.failed('command', error);
          return commandRefusedText(payload, problem('internal', 'The command failed to run.'));
        },
      )
      .then((text) => {
        this.#commands -= 1;
        this.#answer(text);
      });
  }

  #misunderstood(reason: Problem): void {
    if (this.#badFrames(this.#context.clock.monotonic()) === 0) this.#answer(errorFrameText(reason));
    else this.close(4500);
  }

  // ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** Batches of one epoch each, a window of events in all. False when the socket dropped something. */
  #sendBatches(feed: ClientFeed): boolean {
    let outcome: SendResult = 'sent';
    while (outcome === 'sent' && this.#flight.room > 0) {
      const before = this.#at;
      const batch = feed.read(before, this.#flight.room);
      outcome = this.#sendBatch(batch);
      if (this.#at === before) break;
      feed.markSent(this.#at);
      if (this.start.mode === 'simple') this.#socket.ping(this.#flight.mark(this.#at));
      if (!batch.hasMore) break;
    }
    return outcome !== 'dropped';
  }

  /** The gap first, unless the welcome told it, then events until the socket is full. Moves `#at` along. */
  #sendBatch({ gap, entries, text }: Batch): SendResult {
    const now = this.#context.clock.monotonic();
    let outcome: SendResult = 'sent';
    if (gap) {
      if (!sameGap(this.#toldGap, gap)) outcome = this.#socket.send(writeFrame({ type: 'gap', ...gap }));
      if (outcome !== 'dropped') this.#at = gap.to;
    }
    for (const entry of entries) {
      if (outcome !== 'sent') break;
      outcome = this.#socket.send(text(entry));
      if (outcome === 'dropped') break;
      this.#at = { epoch: entry.epoch, offset: entry.offset };
      this.#flight.sent(this.#at, now);
    }
    return outcome;
  }

  /** A frame outside of the window: an answer, a welcome. */
  #answer(text: string): void {
    if (this.#state === 'closed') return;
    const outcome = this.#socket.send(text);
    if (outcome === 'buffered') this.#full = true;
    if (outcome === 'dropped' || this.#socket.bufferedBytes() > MAX_BUFFERED_BYTES) this.close(4001);
  }

  #timestamp(): string {
    return new Date(this.#context.clock.wall()).toISOString();
  }

  #end(code: number, retryAfterMs: number, reason: string): void {
    if (this.#state === 'closed') return;
    this.#socket.send(writeFrame({ type: 'bye', code, retry_after_ms: retryAfterMs }));
    this.closed();
    this.#socket.end(code, reason);
  }

  /** Looks at the clocks of the link, once a second (contract W6, W7). */
  #pulse(): void {
    const now = this.#context.clock.monotonic();
    if (now - this.#heardMs >= WS_LIMITS.silenceTimeoutMs) this.close(4004);
    else if (this.#flight.overdueMs(now) >= WS_LIMITS.ackTimeoutMs) this.close(4003);
    if (this.#state === 'closed') return;
    if (now - this.#pingedMs >= WS_LIMITS.pingIntervalMs) {
      this.#pingedMs = now;
      this.#socket.ping('');
      // As long as its socket is open it is not forgotten (contract H1), though nothing is told for a month.
      if (this.clientId !== null) this.#context.clients.open(this.clientId);
    }
    if (this.#full) this.drain();
  }
}
