/**
 * One request of uWebSockets.js and its answer: at most one answer, none after an abort, always corked. `onAborted`
 * is set first of all, since returning without it ends the process.
 */
import type { HttpResponse } from 'uWebSockets.js';
import { type BodyResult, header, type Reply, type RequestHead, statusLine } from './http-message.ts';
import type { Stalled } from './stalled.ts';

export class Exchange {
  /** HEAD is answered without a body. */
  method = 'GET';
  readonly #res: HttpResponse;
  readonly #stalled: Stalled;
  readonly #failed: (where: string, error: unknown) => void;
  #aborted = false;
  /** An answer was begun; `#open` until it is written whole. */
  #answered = false;
  #open = true;
  #onAbort: (() => void)[] = [];

  constructor(res: HttpResponse, stalled: Stalled, failed: (where: string, error: unknown) => void) {
    this.#res = res;
    this.#stalled = stalled;
    this.#failed = failed;
    res.onAborted(() => {
      this.#aborted = true;
      const listeners = this.#onAbort;
      this.#onAbort = [];
      for (const fn of listeners) this.#guard('abort', fn);
    });
  }

  onAbort(fn: () => void): void {
    if (this.#aborted) this.#guard('abort', fn);
    else if (this.#open) this.#onAbort.push(fn);
  }

  /** Collects the body, up to `maxBytes`; settles always, for uWebSockets.js cuts a body that does not come. */
  body(head: RequestHead, maxBytes: number): Promise<BodyResult> {
    return new Promise((resolve) => {
      if (this.#aborted) return resolve({ kind: 'aborted' });
      if (Number(header(head, 'content-length') ?? 0) > maxBytes) return resolve({ kind: 'too-large' });
      let chunks: Buffer[] = [];
      let size = 0;
      const settle = (result: BodyResult): void => {
        chunks = [];
        this.#stalled.release(this);
        resolve(result);
      };
      this.onAbort(() => settle({ kind: 'aborted' }));
      this.#res.onData((chunk, isLast) =>
        this.#guard('body', () => {
          size += chunk.byteLength;
          if (size > maxBytes) return settle({ kind: 'too-large' });
          // The chunk is only valid inside this callback.
          chunks.push(Buffer.from(chunk.slice(0)));
          if (isLast) settle({ kind: 'whole', bytes: Buffer.concat(chunks) });
          else this.#stalled.hold(this, size, () => this.#res.close());
        }),
      );
    });
  }

  /** Writes the answer. A second one, or one after an abort, is not written. */
  answer(reply: Reply): void {
    if (this.#answered) return;
    this.#answered = true;
    if (this.#aborted) this.#written(reply.onWritten, false);
    // Guarded inside: an exception must not cross the native frame.
    else this.#res.cork(() => this.#guard('answer', () => this.#write(reply)));
  }

  /** The response became a WebSocket: nothing may be written to it any more. */
  release(): void {
    this.#answered = true;
    this.#open = false;
    this.#onAbort = [];
  }

  #write({ status, headers, body, onWritten }: Reply): void {
    const res = this.#res;
    res.writeStatus(statusLine(status));
    for (const [name, value] of Object.entries(headers)) res.writeHeader(name, value);
    if (this.method === 'HEAD' || status === 204) {
      res.endWithoutBody();
      this.#written(onWritten, true);
      return;
    }
    // tryEnd, not end: only it tells when the last byte went to the kernel, and still reports an abort before.
    const bytes = Buffer.from(body);
    const writeFrom = (offset: number): boolean => {
      const [accepted] = res.tryEnd(bytes.subarray(offset), bytes.length);
      if (accepted) this.#written(onWritten, true);
      return accepted;
    };
    if (writeFrom(0)) return;
    this.onAbort(() => this.#written(onWritten, false));
    res.onWritable((offset) => {
      let accepted = true;
      this.#guard('write', () => {
        accepted = writeFrom(offset);
      });
      return accepted;
    });
    this.#stalled.hold(this, bytes.length, () => res.close());
  }

  #written(onWritten: Reply['onWritten'], whole: boolean): void {
    this.#stalled.release(this);
    if (!this.#open) return;
    this.#open = false;
    if (whole) this.#onAbort = [];
    if (onWritten) this.#guard('written', () => onWritten(whole));
  }

  #guard(where: string, fn: () => void): void {
    try {
      fn();
    } catch (error) {
      this.#failed(where, error);
    }
  }
}
