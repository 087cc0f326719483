/** A request with an end: whatever is not answered by then rejects, and the request is given up. */
import type { Clock } from '../protocol/ports.ts';

export class TimeoutError extends Error {
  constructor(ms: number) {
    super(`the agent did not answer within ${ms / 1_000} s`);
    this.name = 'TimeoutError';
  }
}

export async function within<T>(
  clock: Pick<Clock, 'after'>,
  ms: number,
  request: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const abort = new AbortController();
  const cancel = clock.after(ms, () => abort.abort());
  try {
    return await request(abort.signal);
  } catch (error) {
    throw abort.signal.aborted ? new TimeoutError(ms) : error;
  } finally {
    cancel();
  }
}
