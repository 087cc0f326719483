/** A request with an end: whatever is not answered by then rejects, and the request is given up. */
import type { Clock } from '../protocol/ports.ts';

export class TimeoutError extends Error {
  constructor(ms: number) {
    super(`the agent did not answer within ${ms / 1_000} s`);
    this.name = 'TimeoutError';
  }
}

/** `stop` gives the request up before its time; it then rejects as the request does. */
export async function within<T>(
  clock: Pick<Clock, 'after'>,
  ms: number,
  request: (signal: AbortSignal) => Promise<T>,
  stop?: AbortSignal,
): Promise<T> {
  const abort = new AbortController();
  const giveUp = () => abort.abort();
  let late = false;
  const cancel = clock.after(ms, () => {
    late = true;
    giveUp();
  });
  if (stop?.aborted) giveUp();
  stop?.addEventListener('abort', giveUp);
  try {
    return await request(abort.signal);
  } catch (error) {
    throw late ? new TimeoutError(ms) : error;
  } finally {
    cancel();
    stop?.removeEventListener('abort', giveUp);
  }
}
