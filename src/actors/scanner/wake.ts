/**
 * For whoever ends the scanner's thread from outside. On Linux the thread always has one read that blocks inside
 * the kernel, and until it returns neither `terminate()` nor `process.exit()` does: wake it first, then end the
 * thread, then give its socket back. Imported by main; loads nothing native.
 */
import { closeSync, writeSync } from 'node:fs';
import { listenMessage } from './netlink.ts';

const NONE = -1;

/** The cell for `ScannerInit.wakeFd`; one for each life of the actor. */
export function wakeCell(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4)).fill(NONE);
}

/** Ends the read in which the scanner's thread blocks, if any: before `terminate()` or `process.exit()`. */
export function wakeScanner(cell: Int32Array): void {
  const fd = Atomics.load(cell, 0);
  if (fd !== NONE) attempt(() => writeSync(fd, listenMessage()));
}

/** Closes the socket that a thread which was ended from outside left behind: after it has ended. */
export function releaseScanner(cell: Int32Array): void {
  const fd = Atomics.exchange(cell, 0, NONE);
  if (fd !== NONE) attempt(() => closeSync(fd));
}

/** The thread may have closed it in this very moment. */
function attempt(act: () => void): void {
  try {
    act();
  } catch {}
}
