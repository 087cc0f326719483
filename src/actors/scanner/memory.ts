/**
 * What the start of the agent needed and nobody needs any more goes back to the system: glibc keeps what was freed, in
 * an arena for each thread, until it is asked (malloc_trim(3)). It stands here because this thread has koffi loaded.
 */
import { createRequire } from 'node:module';

/** By then all threads are up and have compiled what they need at rest, ms. */
export const GIVE_BACK_AFTER_MS = 10_000;

/** Half a millisecond, once. Does nothing where there is no glibc; never throws. */
export function giveBackMemory(): void {
  if (process.platform !== 'linux') return;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    koffi.load(null).func('int malloc_trim(size_t pad)')(0);
  } catch {
    // Another libc: it keeps its memory as it likes.
  }
}
