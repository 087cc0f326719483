/** The scanner's slice as the kernel has it; on one before 6.12 there is none to see. */
import { readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { expect, test } from 'vitest';
import { shortenSlice } from '../../../src/actors/scanner/slice.ts';

/** `se.slice` of the calling thread, ns (proc_sched_show_task); null: this kernel shows none. */
function sliceNs(): number | null {
  try {
    const text = readFileSync('/proc/thread-self/sched', 'utf8');
    return Number(/^se\.slice\s*:\s*(\d+)$/m.exec(text)?.[1] ?? Number.NaN) || null;
  } catch {
    return null;
  }
}

test.skipIf(sliceNs() === null)('the slice is the shortest there is, and the priority stays', () => {
  const nice = getPriority();
  shortenSlice();
  expect(sliceNs()).toBe(100_000);
  expect(getPriority()).toBe(nice);
});
