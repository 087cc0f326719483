/** Watches a thread while it closes: at the deadline, or when its beat stays out, it is ended. */
import { monotonicMs } from '../../runtime/clock.ts';
import { beatWatcher, HANG_AFTER_MS } from '../../runtime/heartbeat.ts';

/** How often the beat is looked at, ms. */
const LOOK_EVERY_MS = 250;

/** The thread lives, and did not come to an end in its time. */
export class Overdue extends Error {}

/** Aborts, with the reason as an Error, at the deadline (ms from now) or when the beat has stayed out; an abort ends the thread. */
export function watchCloses(
  beat: SharedArrayBuffer,
  deadlineMs: number,
): { readonly signal: AbortSignal; stop(): void } {
  const ending = new AbortController();
  const isHung = beatWatcher(beat, monotonicMs(), { everyMs: LOOK_EVERY_MS, limitMs: HANG_AFTER_MS });
  const looks = setInterval(() => {
    if (isHung(monotonicMs())) ending.abort(new Error('the executor hung'));
  }, LOOK_EVERY_MS);
  const late = () => ending.abort(new Overdue(`no answer from the executor within ${deadlineMs} ms`));
  const deadline = setTimeout(late, deadlineMs);
  return {
    signal: ending.signal,
    stop() {
      clearInterval(looks);
      clearTimeout(deadline);
    },
  };
}
