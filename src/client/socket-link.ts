/**
 * One WebSocket from its opening to its close, as a reliable client (contract W2): hello, welcome, events, and the
 * acknowledgement of what the program stored. Frames that are not understood are ignored, so that a newer agent may
 * send more. Whether to come back is link.ts's decision.
 */
import { type DeliveredEvent, eventMeta } from '../protocol/events.ts';
import { byeFrame, gapFrame, type HelloFrame, type WelcomeFrame, welcomeFrame } from '../protocol/frames.ts';
import type { Clock } from '../protocol/ports.ts';
import { type Gap, type Position, samePosition } from '../protocol/position.ts';
import { closeMeaning } from './link.ts';
import type { ClientSocket, Endpoint, OpenSocket } from './ports.ts';

/** A server that is there welcomes at once; until then the program has no events, so the wait is short. */
const WELCOME_TIMEOUT_MS = 3_000;
/** Browsers do not show pings to programs: after this silence one is sent that asks for an answer. */
const PROBE_AFTER_MS = 20_000;
const PROBE_TIMEOUT_MS = 10_000;
/** Before the welcome it is about the position in the hello, after it about an acknowledgement. */
const BEYOND_THE_LOG = 4504;

type Frame = Readonly<Record<string, unknown>>;

export interface SocketEnd {
  readonly code: number;
  readonly reason: string;
  readonly retryAfterMs: number | null;
  /** The position in the hello lies beyond the agent's log: an older copy of its data directory was put back. */
  readonly positionUnknown: boolean;
}

export interface SocketLinkHost {
  readonly openSocket: OpenSocket;
  readonly clock: Pick<Clock, 'after'>;
  hello(): HelloFrame;
  onWelcome(): void;
  /** false: no room; the link ends and the rest is sent again later. */
  onEvent(event: DeliveredEvent): boolean;
  onGap(gap: Gap): boolean;
  onEnd(end: SocketEnd): void;
  /** The offset of this epoch that is stored as acknowledged, -1 when none is. */
  storedOffset(epoch: string): number;
}

export interface SocketLink {
  /** Something was stored: tells the agent, as far as this link has seen it. */
  acknowledge(): void;
  /** Ends it; `onEnd` is not called. */
  stop(): void;
}

export function startSocketLink(endpoint: Endpoint, host: SocketLinkHost): SocketLink {
  let ended = false;
  let welcomed = false;
  let retryAfterMs: number | null = null;
  /** The last position that came over this very link: more than this must not be acknowledged on it (4504). */
  let seen: Position | null = null;
  let acknowledged: Position | null = null;
  /** A gap that the welcome told and that lies ahead: the events up to its `from` come first. */
  let ahead: Gap | null = null;
  /** What the agent said against the hello, in its own words: the close code alone does not say it. */
  let refusal = '';
  const socket: ClientSocket = host.openSocket(endpoint, {
    onOpen: () => {
      const hello = host.hello();
      if (hello.resume && hello.resume !== 'now') acknowledged = hello.resume;
      send(hello);
    },
    onMessage: (text) => {
      if (ended) return;
      if (welcomed) watchSilence();
      receive(text);
    },
    onClose: (code, reason) => end(code, reason),
  });
  // Only now: opening it may have thrown, and then there is nothing to end.
  let cancelTimer = host.clock.after(WELCOME_TIMEOUT_MS, () => end(1006, 'no welcome in time'));

  function end(code: number, reason: string): void {
    if (ended) return;
    release();
    const positionUnknown = code === BEYOND_THE_LOG && !welcomed && acknowledged !== null;
    host.onEnd({
      code,
      reason: refusal || reason || closeMeaning(code).reason,
      retryAfterMs,
      positionUnknown,
    });
  }

  function release(): void {
    ended = true;
    cancelTimer();
    socket.close();
  }

  function send(frame: object): void {
    if (!ended) socket.send(JSON.stringify(frame));
  }

  function watchSilence(): void {
    cancelTimer();
    cancelTimer = host.clock.after(PROBE_AFTER_MS, () => {
      send({ type: 'ping' });
      cancelTimer = host.clock.after(PROBE_TIMEOUT_MS, () => end(1006, 'no answer to a ping'));
    });
  }

  function receive(text: string): void {
    const frame = parse(text);
    if (!frame) return;
    switch (frame.type) {
      case 'welcome':
        onWelcome(frame);
        return;
      case 'gap':
        onGap(gapFrame.safeParse(frame).data);
        return;
      case 'error':
        if (!welcomed) refusal = detailOf(frame.problem);
        return;
      case 'bye':
        retryAfterMs = byeFrame.safeParse(frame).data?.retry_after_ms ?? null;
        return;
      default:
        onEvent(frame);
    }
  }

  function onEvent(frame: Frame): void {
    const meta = eventMeta.safeParse(frame.meta).data;
    if (!meta || !welcomed) return;
    const at = { epoch: meta.epoch, offset: meta.offset };
    if (ahead && !isUpTo(at, ahead.from)) onGap(ahead);
    if (ended) return;
    seen = at;
    // It may have come before and be stored already: then the agent is told at once.
    if (host.onEvent(frame as unknown as DeliveredEvent)) acknowledge();
    else end(1006, 'the program is behind');
    if (ahead && samePosition(at, ahead.from)) onGap(ahead);
  }

  function onWelcome(frame: Frame): void {
    const welcome = welcomeFrame.safeParse(frame).data;
    if (!welcome || welcomed) return;
    welcomed = true;
    watchSilence();
    host.onWelcome();
    ahead = welcome.gap;
    const { acked_epoch: epoch, acked_offset: offset } = welcome;
    const at = acknowledged ?? (epoch === null ? null : { epoch, offset });
    if (ahead && at && samePosition(at, ahead.from)) onGap(ahead);
    tellStored(welcome);
  }

  /** The program stored more than the agent knows of: without this it would count as unacknowledged until more comes. */
  function tellStored({ epoch, last_offset, acked_epoch, acked_offset }: WelcomeFrame): void {
    if (acknowledged?.epoch !== epoch || acknowledged.offset > last_offset) return;
    const known = acked_epoch === epoch ? acked_offset : 0;
    if (acknowledged.offset > known) send({ type: 'ack', ...acknowledged });
  }

  function onGap(gap: Gap | undefined): void {
    if (!gap || ended) return;
    // Told in its place after all, since it has grown.
    ahead = null;
    seen = gap.to;
    if (!host.onGap({ from: gap.from, to: gap.to, lost: gap.lost, reason: gap.reason })) {
      end(1006, 'the program is behind');
    }
  }

  function acknowledge(): void {
    if (!seen || ended) return;
    const offset = Math.min(seen.offset, host.storedOffset(seen.epoch));
    const before = acknowledged?.epoch === seen.epoch ? acknowledged.offset : 0;
    if (offset <= before) return;
    acknowledged = { epoch: seen.epoch, offset };
    send({ type: 'ack', ...acknowledged });
  }

  return { acknowledge, stop: release };
}

function isUpTo(at: Position, last: Position): boolean {
  return at.epoch === last.epoch && at.offset <= last.offset;
}

/** The sentence of a problem; empty when it has none. */
function detailOf(problem: unknown): string {
  const { detail } = (problem ?? {}) as { readonly detail?: unknown };
  return typeof detail === 'string' ? detail : '';
}

function parse(text: string): Frame | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Frame) : null;
  } catch {
    return null;
  }
}
