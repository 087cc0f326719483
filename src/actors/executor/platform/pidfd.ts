/**
 * Linux pidfds through koffi: a descriptor that means one process for good, so that a signal can never reach
 * another one that was given the same pid meanwhile. Node has no call for it.
 */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import koffi from 'koffi';

// The same numbers on every architecture that Node runs on.
const PIDFD_SEND_SIGNAL = 424;
const PIDFD_OPEN = 434;

/** The errno name of a failed call, or null. */
export type Failure = string | null;

export interface Pidfds {
  /** Runs `fn` while the process is held; says why when it cannot be held. */
  withProcess<T>(pid: number, fn: (send: (signal: number) => Failure) => T): T | { readonly failure: string };
}

/** Loads the calls; throws where koffi or the C library cannot be loaded. */
export function loadPidfds(): Pidfds {
  const libc = koffi.load(null);
  const open = libc.func('long syscall(long number, int pid, unsigned int flags)');
  const send = libc.func('long syscall(long number, int fd, int signal, void *info, unsigned int flags)');
  return {
    withProcess(pid, fn) {
      const fd = Number(open(PIDFD_OPEN, pid, 0));
      if (fd < 0) return { failure: errnoName() };
      try {
        return fn((signal) =>
          Number(send(PIDFD_SEND_SIGNAL, fd, signal, null, 0)) < 0 ? errnoName() : null,
        );
      } finally {
        closeSync(fd);
      }
    },
  };
}

function errnoName(): string {
  const errno = koffi.errno();
  const named = Object.entries(constants.errno).find(([, value]) => value === errno);
  return named?.[0] ?? `errno ${errno}`;
}
