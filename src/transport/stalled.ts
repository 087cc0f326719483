/**
 * What is held in memory because a client does not go on: a body that does not end, an answer that is not read.
 * All of it together is bounded: beyond the limit the connection that has kept the agent waiting longest is closed.
 * Whoever goes on at all is done in milliseconds on the loopback, and asks again if it was him.
 */

/** What all of them together may take, bytes; the newest one may be larger by itself. */
const MAX_STALLED_BYTES = 16 * 1024 * 1024;

interface Held {
  readonly bytes: number;
  readonly drop: () => void;
}

export class Stalled {
  /** In the order in which they began to wait. */
  readonly #waiting = new Map<object, Held>();
  #bytes = 0;

  /** `bytes` are held for `of` now; `drop` closes its connection. */
  hold(of: object, bytes: number, drop: () => void): void {
    this.#bytes += bytes - (this.#waiting.get(of)?.bytes ?? 0);
    this.#waiting.set(of, { bytes, drop });
    for (const [oldest, held] of this.#waiting) {
      if (this.#bytes <= MAX_STALLED_BYTES || this.#waiting.size === 1) return;
      this.release(oldest);
      held.drop();
    }
  }

  /** It went on, or its connection is gone. */
  release(of: object): void {
    this.#bytes -= this.#waiting.get(of)?.bytes ?? 0;
    this.#waiting.delete(of);
  }
}
