/** A text socket as the sessions see it: what they may do to it and what it tells them. Types only. */

/** Three results, never taken for delivery: in the kernel, in our buffer until it drains, or not sent at all. */
export type SendResult = 'sent' | 'buffered' | 'dropped';

export interface Socket {
  send(text: string): SendResult;
  ping(payload: string): void;
  /** Runs `fn` with its sends gathered into few system calls. */
  batch(fn: () => void): void;
  /** Bytes that the kernel did not take yet. */
  bufferedBytes(): number;
  end(code: number, reason: string): void;
}

export interface SocketEvents {
  /** null: a binary frame. */
  message(text: string | null): void;
  /** The peer pinged; it was answered. */
  ping(): void;
  pong(payload: string): void;
  drain(): void;
  /** The last one: the socket is gone. */
  closed(code: number): void;
}
