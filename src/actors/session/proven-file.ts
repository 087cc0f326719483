/**
 * The last moment at which the agent lived and knew that somebody played: some bytes of a file, overwritten about once a
 * second. It costs some µs where a transaction of the ledger costs an fsync, and it outlives `kill -9`, as the page cache
 * does. A power loss may take it; then the ledger's own moment counts. What goes wrong here is no harm to anything else.
 */
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';

/** Both clocks of one moment of a boot, ms: awake, and trusted (epoch). */
export interface ProvenMoment {
  readonly bootId: string;
  readonly awakeMs: number;
  readonly nowMs: number;
}

export interface ProvenFile {
  read(): ProvenMoment | null;
  write(moment: ProvenMoment): void;
  close(): void;
}

const { O_CREAT, O_RDWR } = constants;
/** One size for every moment, so that the file never grows and each write replaces the one before. */
const BYTES = 256;

/** `path` undefined: nothing is kept. */
export function openProvenFile(path: string | undefined): ProvenFile {
  const fd = path === undefined ? null : attempt(() => openSync(path, O_RDWR | O_CREAT, 0o600));
  return {
    read: () => (fd === null ? null : attempt(() => momentIn(contentOf(fd)))),
    write(moment) {
      if (fd !== null) attempt(() => writeSync(fd, JSON.stringify(moment).padEnd(BYTES), 0));
    },
    close() {
      if (fd !== null) attempt(() => closeSync(fd));
    },
  };
}

function contentOf(fd: number): string {
  const bytes = Buffer.alloc(BYTES);
  return bytes.toString('utf8', 0, readSync(fd, bytes, 0, BYTES, 0));
}

function momentIn(text: string): ProvenMoment | null {
  const moment = JSON.parse(text) as Partial<ProvenMoment> | null;
  const whole =
    typeof moment?.bootId === 'string' && Number.isFinite(moment.awakeMs) && Number.isFinite(moment.nowMs);
  return whole ? (moment as ProvenMoment) : null;
}

function attempt<T>(fn: () => T): T | null {
  try {
    return fn();
  } catch {
    return null;
  }
}
