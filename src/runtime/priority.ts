/**
 * A game that lives 5 ms must be looked at within these 5 ms, and a process that was killed must be back within a second,
 * on a busy machine too. So where it may (as root on Linux) the agent puts itself before ordinary programs, as audit
 * daemons do; it needs next to no time. Linux gives a priority to each thread, and a new one has that of the thread that
 * made it (setpriority(2), pthreads(7)).
 */
import { readdirSync } from 'node:fs';
import { setPriority } from 'node:os';

const NICE = -10;

/**
 * Raises every thread of this process that exists now, as main, which passes on what is told. Threads made later, as the
 * scanner's, inherit it. Never throws.
 */
export function raisePriority(): void {
  if (process.platform !== 'linux') return;
  try {
    for (const tid of readdirSync('/proc/self/task')) setPriority(Number(tid), NICE);
  } catch {
    // Not root: it runs as everybody else.
  }
}

/** The calling thread runs as ordinary programs do: nobody waits for it by the millisecond. Never throws. */
export function lowerThread(): void {
  setThread(0);
}

/** The calling thread goes before ordinary programs again. Never throws. */
export function raiseThread(): void {
  setThread(NICE);
}

function setThread(nice: number): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(0, nice);
  } catch {
    // It was not raised, or may not be changed: it stays as it is.
  }
}
