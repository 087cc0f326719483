/** One open WebSocket of uWebSockets.js as a `Socket`: safe to use after it closed, and nothing throws through it. */
import type { WebSocket } from 'uWebSockets.js';
import type { SendResult, Socket } from './socket.ts';

export class UwsSocket implements Socket {
  #ws: WebSocket<unknown> | null;

  constructor(ws: WebSocket<unknown>) {
    this.#ws = ws;
  }

  send(text: string): SendResult {
    if (!this.#ws) return 'dropped';
    const result = this.#ws.send(text, false, false);
    if (result === 1) return 'sent';
    return result === 0 ? 'buffered' : 'dropped';
  }

  ping(payload: string): void {
    this.#ws?.ping(payload);
  }

  batch(fn: () => void): void {
    if (!this.#ws) return;
    // An exception must not cross the native frame: it is carried around it.
    let failure: { readonly error: unknown } | null = null;
    this.#ws.cork(() => {
      try {
        fn();
      } catch (error) {
        failure = { error };
      }
    });
    if (failure) throw (failure as { readonly error: unknown }).error;
  }

  bufferedBytes(): number {
    return this.#ws?.getBufferedAmount() ?? 0;
  }

  end(code: number, reason: string): void {
    // uWebSockets.js calls the close handler from inside end().
    this.#ws?.end(code, reason);
  }

  /** From the close handler: touching the native object from now on would throw. */
  gone(): void {
    this.#ws = null;
  }
}
