/**
 * When the session actor's thread must not be the last one to go: the executor's threads, which stand before ordinary
 * programs, and a crowd that starts and ends all the time left it no time, and it was taken for hung. Pure.
 */

/** More messages than these in a second are a rush: no play of a family makes so many. */
export const RUSH = 100;
/** So many seconds in a row without one, and it is over. */
export const CALM_SECONDS = 10;

export class Rush {
  #heard = 0;
  #calm = CALM_SECONDS;

  /** A message came: whether a rush begins with it. */
  heard(): boolean {
    this.#heard += 1;
    if (this.#heard <= RUSH) return false;
    const begins = this.#calm >= CALM_SECONDS;
    this.#calm = 0;
    return begins;
  }

  /** A second went by: whether a rush is over with it. */
  second(): boolean {
    const wasCalm = this.#calm >= CALM_SECONDS;
    this.#calm = this.#heard > RUSH ? 0 : Math.min(CALM_SECONDS, this.#calm + 1);
    this.#heard = 0;
    return !wasCalm && this.#calm >= CALM_SECONDS;
  }
}
