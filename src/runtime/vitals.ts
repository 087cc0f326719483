/**
 * The signs of life of one thread, in shared memory: written by the thread, read by whoever watches it, without a
 * message. All stamps are whole ms on the monotonic clock, which all threads share.
 *
 * Sequence numbers (of what main sent) are 1 to 2^31-1 and start at 1 in each incarnation.
 */

const BYTES = 32;
// In 64-bit words.
const BEAT = 0;
const WORK = 1;
const DUE = 2;
// In 32-bit words.
const CURRENT = 6;
const PROCESSED = 7;

/** A view on the shared memory of one thread. */
export class Vitals {
  readonly buffer: SharedArrayBuffer;
  readonly #stamps: BigInt64Array;
  readonly #numbers: Int32Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(BYTES)) {
    this.buffer = buffer;
    this.#stamps = new BigInt64Array(buffer);
    this.#numbers = new Int32Array(buffer);
  }

  beat(nowMs: number): void {
    Atomics.store(this.#stamps, BEAT, BigInt(Math.floor(nowMs)));
  }

  /** Real work was done; `dueMs` is when the next is due at the latest, 0 if none is. */
  worked(nowMs: number, dueMs: number): void {
    Atomics.store(this.#stamps, WORK, BigInt(Math.floor(nowMs)));
    Atomics.store(this.#stamps, DUE, BigInt(Math.floor(dueMs)));
  }

  /** The thread takes up what main sent as `seq`. */
  begin(seq: number): void {
    Atomics.store(this.#numbers, CURRENT, seq);
  }

  /** The synchronous part of it is done. */
  end(): void {
    Atomics.store(this.#numbers, CURRENT, 0);
  }

  /** The message `seq`, and all before it, are done. */
  processed(seq: number): void {
    Atomics.store(this.#numbers, PROCESSED, seq);
  }

  /** 0: it never beat, or has said that it beats no more. */
  get lastBeatMs(): number {
    return Number(Atomics.load(this.#stamps, BEAT));
  }

  get lastWorkMs(): number {
    return Number(Atomics.load(this.#stamps, WORK));
  }

  get workDueMs(): number {
    return Number(Atomics.load(this.#stamps, DUE));
  }

  /** What the thread is inside of; 0: nothing that main sent. */
  get current(): number {
    return Atomics.load(this.#numbers, CURRENT);
  }

  get lastProcessed(): number {
    return Atomics.load(this.#numbers, PROCESSED);
  }
}
