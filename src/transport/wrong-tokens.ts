/** The lock after too many wrong tokens. Pure. */

/**
 * Wrong tokens (contract S4): the tenth within a minute shuts wrong ones out for a minute. Right ones never come
 * here, so they are never locked out.
 */
export class WrongTokens {
  readonly #limit: number;
  readonly #windowMs: number;
  #seen: number[] = [];
  #lockedUntil = Number.NEGATIVE_INFINITY;

  constructor(limit: number, windowMs = 60_000) {
    this.#limit = limit;
    this.#windowMs = windowMs;
  }

  /** Counts a wrong token at `now`; 0 when it is merely wrong, else for how many ms wrong ones are shut out. */
  count(now: number): number {
    if (now < this.#lockedUntil) return Math.ceil(this.#lockedUntil - now);
    this.#seen = [...this.#seen.filter((at) => at > now - this.#windowMs), now];
    if (this.#seen.length >= this.#limit) {
      this.#lockedUntil = now + this.#windowMs;
      this.#seen = [];
    }
    return 0;
  }
}
