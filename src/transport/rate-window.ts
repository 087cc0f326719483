/** Limits per stretch of time: how often something may happen, and the lock after too many wrong tokens. Pure. */

/** At most `limit` takes within any `windowMs`. Holds at most `limit` numbers. */
export class RateWindow {
  readonly #limit: number;
  readonly #windowMs: number;
  #taken: number[] = [];

  constructor(limit: number, windowMs: number) {
    this.#limit = limit;
    this.#windowMs = windowMs;
  }

  /** Takes one at `now` (ms, monotonic); false when the limit is reached, and then nothing is counted. */
  take(now: number): boolean {
    this.#taken = this.#taken.filter((at) => at > now - this.#windowMs);
    if (this.#taken.length >= this.#limit) return false;
    this.#taken.push(now);
    return true;
  }
}

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
