/** A thread of the agent without a thread: it takes its messages in order, each some ms after it was sent, and can hang or end. */
import { secondHand } from '../../../src/runtime/second-hand.ts';
import type { FakeClock } from '../../helpers/fake-clock.ts';

type Work = () => void;

export class Thread {
  alive = true;
  #hangs = false;
  readonly #inbox: Work[] = [];
  #late: Work[] = [];
  readonly #clock: FakeClock;
  readonly #delayMs: () => number;
  readonly everySecond: (fn: Work, n?: number) => Work;

  constructor(clock: FakeClock, delayMs: () => number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.everySecond = secondHand({
      monotonic: () => clock.monotonic(),
      after: (ms, fn) => this.after(ms, fn),
    });
  }

  get hangs(): boolean {
    return this.#hangs;
  }

  /** A message: taken after what was sent before it. */
  send(work: Work): void {
    this.#inbox.push(work);
    this.#clock.after(this.#delayMs(), () => {
      if (this.alive && !this.#hangs) this.#inbox.shift()?.();
    });
  }

  after(ms: number, fn: Work): Work {
    let due = () => {
      if (!this.alive) return;
      if (this.#hangs) this.#late.push(fn);
      else fn();
    };
    const stop = this.#clock.after(ms, () => due());
    return () => {
      due = () => {};
      this.#late = this.#late.filter((late) => late !== fn);
      stop();
    };
  }

  hang(): void {
    this.#hangs = true;
  }

  /** It goes on: first with what was sent to it, then with what fell due. */
  wake(): void {
    if (!this.#hangs || !this.alive) return;
    this.#hangs = false;
    this.flush();
    const late = this.#late;
    this.#late = [];
    for (const fn of late) if (this.alive) fn();
  }

  /** Takes at once whatever was sent. */
  flush(): void {
    while (this.alive && !this.#hangs && this.#inbox.length > 0) this.#inbox.shift()?.();
  }

  end(): void {
    this.alive = false;
    this.#inbox.length = 0;
    this.#late = [];
  }
}
