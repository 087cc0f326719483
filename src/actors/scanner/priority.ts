/**
 * A game that lives 5 ms must be looked at within these 5 ms, on a busy machine too. So where it may (as root on
 * Linux) the agent puts itself before ordinary programs, as audit daemons do; it needs next to no time. All
 * threads of it: the blocking read waits in the pool's, main passes on what is told.
 */
import { readdirSync } from 'node:fs';
import { setPriority } from 'node:os';

const NICE = -10;

/** Raises every thread of this process that exists now; threads made later inherit it. Never throws. */
export function raisePriority(): void {
  if (process.platform !== 'linux') return;
  try {
    for (const tid of readdirSync('/proc/self/task')) {
      setPriority(Number(tid), NICE);
    }
  } catch {
    // Not root: it runs as everybody else.
  }
}
