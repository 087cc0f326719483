/**
 * The slice of the scanner's thread. Linux wakes who waits for a message on the core of its sender, as one that is about
 * to sleep; the sender is the game in the middle of its exec, which then runs on for a millisecond. From 6.12 on the
 * scheduler lets a thread with a shorter slice go first at once (sched(7), sched_setattr(2); EEVDF).
 */
import { createRequire } from 'node:module';

/** The shortest that the kernel takes. The thread needs some tenths of a millisecond and sleeps again. */
const SLICE_NS = 100_000;

/** `struct sched_attr` in its first version: size, policy, flags, nice, priority, runtime, deadline, period. */
const ATTR_BYTES = 48;
const RUNTIME_AT = 24;

/** The system calls have no wrapper in older libcs. */
const CALLS: Readonly<Record<string, { readonly set: number; readonly get: number }>> = {
  x64: { set: 314, get: 315 },
  arm64: { set: 274, get: 275 },
};

/** Makes the calling thread's slice the shortest there is; all else of it stays. Older kernels ignore it. Never throws. */
export function shortenSlice(): void {
  const calls = CALLS[process.arch];
  if (process.platform !== 'linux' || calls === undefined) return;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const libc = koffi.load(null);
    const get = libc.func('long syscall(long number, int tid, void *attr, uint32_t size, uint32_t flags)');
    const set = libc.func('long syscall(long number, int tid, void *attr, uint32_t flags)');
    const attr = Buffer.alloc(ATTR_BYTES);
    if (get(calls.get, 0, attr, ATTR_BYTES, 0) !== 0) return;
    attr.writeBigUInt64LE(BigInt(SLICE_NS), RUNTIME_AT);
    set(calls.set, 0, attr, 0);
  } catch {
    // Another libc: it waits its turn as everybody does.
  }
}
