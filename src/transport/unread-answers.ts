/**
 * Answers that their clients do not read. Each is held in memory until the kernel has taken all of it, so together
 * they are bounded: beyond the limit the connection that has kept the agent waiting longest is closed. Whoever reads
 * at all is done in milliseconds on the loopback, and asks again if it was him.
 */

/** What all unread answers together may take, bytes; the newest one may be larger by itself. */
const MAX_UNREAD_BYTES = 16 * 1024 * 1024;

export class UnreadAnswers {
  /** In the order in which they began to wait. */
  readonly #waiting = new Map<object, { readonly bytes: number; readonly drop: () => void }>();
  #bytes = 0;

  /** `of` has not taken its `bytes` yet; `drop` closes its connection, after which it is released. */
  hold(of: object, bytes: number, drop: () => void): void {
    this.#waiting.set(of, { bytes, drop });
    this.#bytes += bytes;
    for (const [oldest, { drop: close }] of this.#waiting) {
      if (this.#bytes <= MAX_UNREAD_BYTES || oldest === of) return;
      this.release(oldest);
      close();
    }
  }

  /** It was read, or its connection is gone. */
  release(of: object): void {
    this.#bytes -= this.#waiting.get(of)?.bytes ?? 0;
    this.#waiting.delete(of);
  }
}
