/** A clock that stands still until a test moves it; timers fire in order as it passes them. */
import { secondHand } from '../../src/runtime/second-hand.ts';

interface Timer {
  readonly at: number;
  readonly fn: () => void;
}

export class FakeClock {
  #now: number;
  #bias: number;
  #timers: Timer[] = [];
  readonly everySecond = secondHand(this);

  constructor(monotonicMs = 1_000_000, wallMs = Date.UTC(2026, 0, 15, 16, 0)) {
    this.#now = monotonicMs;
    this.#bias = wallMs - monotonicMs;
  }

  monotonic(): number {
    return this.#now;
  }

  wall(): number {
    return this.#now + this.#bias;
  }

  after(ms: number, fn: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, ms), fn };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((t) => t !== timer);
    };
  }

  every(ms: number, fn: () => void): () => void {
    let stop = () => {};
    const again = () => {
      stop = this.after(ms, again);
      fn();
    };
    stop = this.after(ms, again);
    return () => stop();
  }

  /** Moves time on, firing every timer that falls due, each at its own moment. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = this.#timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((t) => t !== due);
      this.#now = Math.max(this.#now, due.at);
      due.fn();
    }
    this.#now = end;
  }

  /** Time passes while the whole process is stopped: timers that fall due fire late, at the next `advance`. */
  sleep(ms: number): void {
    this.#now += ms;
  }

  /** When the next timer falls due; null: there is none. */
  get nextDue(): number | null {
    return this.#timers.length === 0 ? null : Math.min(...this.#timers.map((t) => t.at));
  }

  get pendingTimers(): number {
    return this.#timers.length;
  }
}
