/**
 * How much work on large answers one turn of the event loop may hold. Thousands that are asked for together are written
 * over several turns, so that between them the beat of the main thread, the news of games, commands and sockets have
 * theirs: a main thread stuck for 10 s ends the agent.
 */

/** The last task begun may go over it. Some ms are a poll of 500 long events. */
const TURN_MS = 50;

export interface TurnsOptions {
  /** Monotonic ms. */
  readonly now: () => number;
  /** Calls back when everything else that is ready has had its turn. */
  readonly nextTurn: (fn: () => void) => void;
  /** Calls back within this turn, when the answer of the last task is written: not many are to be held at once. */
  readonly afterwards: (fn: () => void) => void;
}

export class Turns {
  readonly #options: TurnsOptions;
  /** Bounded by the open connections, each of which has one request at a time. */
  readonly #line: { readonly work: () => void; readonly leave: () => void }[] = [];
  #spentMs = 0;
  #counting = false;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  /** Does `task` now, or in its order in a later turn; `sentAway` instead if it is to leave the line before. */
  run<T>(task: () => T | Promise<T>, sentAway: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const work = (): void => {
        try {
          resolve(task());
        } catch (error) {
          reject(error);
        }
      };
      if (this.#line.length > 0 || this.#spentMs >= TURN_MS) {
        this.#line.push({ work, leave: () => resolve(sentAway()) });
      } else this.#count(work);
    });
  }

  /** Whoever stands in line leaves it: what let them in may not hold any more. */
  sendAway(): void {
    for (const { leave } of this.#line.splice(0)) leave();
  }

  #count(work: () => void): void {
    const from = this.#options.now();
    work();
    this.#spentMs += this.#options.now() - from;
    if (this.#counting) return;
    this.#counting = true;
    this.#options.nextTurn(() => this.#turn());
  }

  #turn(): void {
    this.#counting = false;
    this.#spentMs = 0;
    this.#next();
  }

  #next(): void {
    const next = this.#spentMs < TURN_MS ? this.#line.shift() : undefined;
    if (!next) return;
    this.#count(next.work);
    this.#options.afterwards(() => this.#next());
  }
}
