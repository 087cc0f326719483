/**
 * Main's side of an actor's mailbox: how much may be on its way to a thread, and what happens at the limit. A state
 * message is held back and replaced by its successor (it coalesces by key); an event is never dropped: a thread that
 * lets events pile up to the limit hangs, and is replaced by one to which the present state is told afresh. Pure.
 */

/** Unprocessed messages to one thread. Over any burst of processes that one account may start, far under what memory would notice. */
export const MAX_UNPROCESSED = 4_096;

/** `post`: send it now. `hold`: it waits, and `release` gives it out later. `overflow`: the actor is to be replaced. */
export type Admission = 'post' | 'hold' | 'overflow';

export class Mailbox<In> {
  readonly #coalesceKey: (message: In) => string | null;
  readonly #limit: number;
  /** Sent and not known to be processed, oldest first; `#head` is where it begins. */
  #sent: { readonly seq: number; readonly message: In }[] = [];
  #held = new Map<string, In>();

  /** `coalesceKey`: the key of a state message, null for an event. */
  constructor(coalesceKey: (message: In) => string | null, limit = MAX_UNPROCESSED) {
    this.#coalesceKey = coalesceKey;
    this.#limit = limit;
  }

  /** What to do with a message, the thread having processed everything up to `lastProcessed`. */
  admit(message: In, lastProcessed: number): Admission {
    this.#forget(lastProcessed);
    const key = this.#coalesceKey(message);
    if (this.#sent.length < this.#limit && this.#held.size === 0) return 'post';
    if (key === null) return 'overflow';
    this.#held.set(key, message);
    return 'hold';
  }

  sent(seq: number, message: In): void {
    this.#sent.push({ seq, message });
  }

  /** Held messages for which there is room now, in the order in which their keys first came. */
  release(lastProcessed: number): In[] {
    this.#forget(lastProcessed);
    const out: In[] = [];
    for (const [key, message] of this.#held) {
      if (this.#sent.length + out.length >= this.#limit) break;
      this.#held.delete(key);
      out.push(message);
    }
    return out;
  }

  /** The message of that number, if it is still unprocessed. */
  find(seq: number): In | undefined {
    return this.#sent.find((entry) => entry.seq === seq)?.message;
  }

  get holding(): boolean {
    return this.#held.size > 0;
  }

  #forget(lastProcessed: number): void {
    const first = this.#sent[0];
    if (first === undefined || first.seq > lastProcessed) return;
    const rest = this.#sent.findIndex((entry) => entry.seq > lastProcessed);
    this.#sent = rest === -1 ? [] : this.#sent.slice(rest);
  }
}
