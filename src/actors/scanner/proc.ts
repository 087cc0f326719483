/**
 * Reads processes from /proc on Linux, for all sources there. The executable's link alone decides for nearly all
 * programs; only what may be a game is read in full. What the texts mean stands in protocol/proc-stat.ts.
 */
import { closeSync, openSync, readdirSync, readlinkSync, readSync, statSync } from 'node:fs';
import { COMMAND_LINE_MAX_BYTES, commandLine, keptCommand } from '../../protocol/command-line.ts';
import type { ClockPair } from '../../protocol/messages.ts';
import {
  executablePath,
  isGone,
  linuxStartKey,
  type ProcStat,
  parseProcStat,
} from '../../protocol/proc-stat.ts';
import { boundedReader } from '../../runtime/bounded-read.ts';
import type { AccountName } from './accounts.ts';
import type { Look } from './behavior.ts';
import { isHost } from './image.ts';
import { longPath } from './long-path.ts';
import type { Match, Rules } from './matcher.ts';
import { latestStart } from './start-time.ts';

export interface ProcReader {
  /**
   * What runs under this pid. `watched`: something hangs on it, so that also of a program that is no game the
   * start is read, and one that cannot be read is told from one that is gone.
   */
  look(pid: number, watched: boolean): Look;
  /** What has the pid after its first thread has ended. */
  afterExit(pid: number): AfterExit;
  /** Whether this is the id of a thread beside the first, which /proc answers for as well. */
  isThread(pid: number): boolean;
  /** Every process there is that may run a program, ascending; no threads. Throws when /proc cannot be listed. */
  pids(): number[];
  /** The pid that the kernel gave out last: while it stands still nothing was forked. */
  newestPid(): number;
}

export type AfterExit =
  /** The same process, in its other threads. */
  | { readonly is: 'threads' }
  /** Nobody (null), or another process with this start. */
  | { readonly is: 'ended'; readonly successor: string | null };

export interface ProcReaderOptions {
  readonly rules: () => Rules;
  readonly bootId: string;
  readonly accountName: AccountName;
  /** The awake clock, ms. */
  readonly now: () => number;
  /** Called in the midst of many looks: this thread lives. */
  readonly beat?: () => void;
  /** As in `SourceContext`. */
  readonly lastClocks?: ClockPair | null;
  readonly root?: string;
}

const OTHER: Look = { is: 'other', startKey: null };

/** A crowd takes long to look at: so often the thread beats meanwhile, ms. */
const BEAT_MS = 250;

const LINE_MAX_BYTES = 4_096;
/** So many games are remembered as what they were read as; beyond, all are read anew. */
const REMEMBERED_MAX = 4_096;

/** A watched game: in one execution no wording makes it another, so its command line, which may be MBs, is read once. */
interface Remembered {
  readonly startKey: string;
  readonly execution: string;
  readonly exe: string | null;
  readonly rules: Rules;
  readonly match: Match;
  readonly command: string;
}

/** One for a thread: it keeps a descriptor. */
export function procReader({
  rules,
  bootId,
  accountName,
  now,
  beat = () => {},
  lastClocks = null,
  root = '/proc',
}: ProcReaderOptions): ProcReader {
  const read = boundedReader(COMMAND_LINE_MAX_BYTES);
  const line = Buffer.allocUnsafe(LINE_MAX_BYTES);
  /**
   * Threads of the kernel stand in /proc as processes, on a quiet PC as half of all, and none ever runs a program: each is
   * looked at once (50 µs), until its number may have been given out again.
   */
  const ofKernel = new Set<number>();
  const remembered = new Map<number, Remembered>();
  let newest = 0;
  let beatAt = 0;
  /** Read at every tick, so it stays open (80 µs of a tick that wakes the thread); Node closes it with the thread, however that ends. */
  let loadavg: number | undefined;

  /** Of a file that is one line: one read is the whole of it. */
  function readLine(path: string): string {
    const fd = openSync(path, 'r');
    try {
      return line.toString('latin1', 0, readSync(fd, line, 0, line.length, null));
    } finally {
      closeSync(fd);
    }
  }

  function stat(folder: string): ProcStat | null {
    return parseProcStat(readLine(`${folder}/stat`));
  }

  /** No executable: the process is ending, a kernel thread, or goes on without its first thread. */
  function withoutExecutable(pid: number, watched: boolean): Look {
    const seen = stat(`${root}/${pid}`);
    if (seen === null || isGone(seen)) return { is: 'gone' };
    if (seen.ofKernel) ofKernel.add(pid);
    return (seen.state === 'Z' && byOtherThreads(pid, watched)) || (watched ? { is: 'unreadable' } : OTHER);
  }

  /** Threads end while they are read: any that outlives its look speaks for all. null: none of them did. */
  function byOtherThreads(pid: number, watched: boolean): Look | null {
    const tids = readdirSync(`${root}/${pid}/task`).filter((tid) => tid !== String(pid));
    const folders = tids.map((tid) => `${root}/${pid}/task/${tid}`);
    for (const folder of folders) {
      const exe = tolerant(() => executable(folder));
      const look = exe === undefined ? null : withExecutable(pid, exe, watched, folder);
      if (look && tolerant(() => executable(folder)) !== undefined) return look;
    }
    // Dead to the last: only a debugger that does not look keeps them.
    const isDead = (folder: string) => tolerant(() => stat(folder)?.state) === 'Z';
    return folders.length > 0 && folders.every(isDead) ? { is: 'gone' } : null;
  }

  /** Throws what the system throws when it reads the link. */
  function executable(folder: string): string {
    try {
      return executablePath(readlinkSync(`${folder}/exe`));
    } catch (thrown) {
      const deep = errorCode(thrown) === 'ENAMETOOLONG' ? tolerant(() => deepExecutable(folder)) : null;
      if (deep) return executablePath(deep);
      throw thrown;
    }
  }

  /** In a folder so deep that the link cannot say it. null: the memory does not say it either. */
  function deepExecutable(folder: string): string | null {
    const code = Number.parseInt(stat(folder)?.execution ?? '', 10);
    return Number.isNaN(code) ? null : longPath(folder, code);
  }

  function withExecutable(pid: number, exe: string, watched: boolean, folder = `${root}/${pid}`): Look {
    return watched || rules().mayMatch(exe) ? whole(pid, exe, watched, folder) : OTHER;
  }

  /** The identity is read first: of a process that ends meanwhile this and the executable are enough. */
  function whole(pid: number, exe: string | null, watched: boolean, folder = `${root}/${pid}`): Look {
    const seen = stat(`${root}/${pid}`);
    if (seen === null || (exe === null && isGone(seen))) return { is: 'gone' };
    const startKey = linuxStartKey(bootId, seen.startTicks);
    // Of a process without its first thread only the others know.
    const execution = seen.execution ?? tolerant(() => stat(folder))?.execution ?? null;
    const seenAs = (match: Match, command: string): Look => ({
      is: 'game',
      sighting: {
        process: {
          pid,
          startKey,
          ...match,
          path: exe,
          command,
          user: tolerant(() => accountName(statSync(`${root}/${pid}`).uid)) ?? null,
          startedAwakeMs: latestStart(seen.startTicks, now(), lastClocks),
          execution,
        },
        parentPid: seen.ppid,
      },
    });
    const before = remembered.get(pid);
    const isSame = before?.startKey === startKey && before.execution === execution && before.exe === exe;
    if (isSame && before.rules === rules()) return seenAs(before.match, before.command);
    remembered.delete(pid);
    const said = commandLine(tolerant(() => read(`${folder}/cmdline`, 'utf8')) ?? '');
    const match = rules().match({ exe, ...said });
    // Without arguments a host is in the middle of an exec, or ending: nothing says what it runs.
    const unsaid = exe === null || (said.argv.length === 0 && isHost(exe));
    if (!match) return watched && unsaid ? { is: 'unreadable' } : { is: 'other', startKey, execution };
    const command = keptCommand(said.text);
    if (watched && execution !== null) {
      if (remembered.size >= REMEMBERED_MAX) remembered.clear();
      remembered.set(pid, { startKey, execution, exe, rules: rules(), match, command });
    }
    return seenAs(match, command);
  }

  return {
    look(pid, watched) {
      const atMs = now();
      if (atMs - beatAt > BEAT_MS) {
        beatAt = atMs;
        beat();
      }
      let exe: string | null = null;
      try {
        exe = executable(`${root}/${pid}`);
        return withExecutable(pid, exe, watched);
      } catch (thrown) {
        const code = errorCode(thrown);
        if (exe === null && isHidden(code)) return orGone(() => whole(pid, null, watched));
        if (exe === null && code === 'ENOENT') return orGone(() => withoutExecutable(pid, watched));
        return isAbsence(code) ? { is: 'gone' } : { is: 'unreadable' };
      }
    },

    afterExit(pid) {
      const seen = tolerant(() => stat(`${root}/${pid}`)) ?? null;
      if (seen === null || isGone(seen)) return { is: 'ended', successor: null };
      if (seen.state === 'Z') return { is: 'threads' };
      return { is: 'ended', successor: linuxStartKey(bootId, seen.startTicks) };
    },

    isThread(pid) {
      const status = tolerant(() => read(`${root}/${pid}/status`, 'utf8')) ?? '';
      const group = /^Tgid:\s*(\d+)$/m.exec(status)?.[1];
      return group !== undefined && Number(group) !== pid;
    },

    pids() {
      const pids: number[] = [];
      for (const name of readdirSync(root)) {
        if (!isDigit(name.charCodeAt(0))) continue;
        const pid = Number(name);
        if (!ofKernel.has(pid)) pids.push(pid);
      }
      return pids;
    },

    newestPid() {
      loadavg ??= openSync(`${root}/loadavg`, 'r');
      const pid = lastNumber(line, readSync(loadavg, line, 0, line.length, 0));
      // A smaller one than before: the numbers go round, and may be anybody's.
      if (pid < newest) ofKernel.clear();
      newest = pid;
      return pid;
    },
  };
}

/** The number at the end of a line, before its line feed; 0 where there is none. */
function lastNumber(line: Buffer, length: number): number {
  let value = 0;
  for (let at = length - 2, unit = 1; at >= 0 && isDigit(line[at]); at--, unit *= 10) {
    value += unit * ((line[at] ?? 0) - ZERO);
  }
  return value;
}

const ZERO = 48;
const NINE = 57;

function isDigit(code: number | undefined): boolean {
  return code !== undefined && code >= ZERO && code <= NINE;
}

/** undefined when the process has no such file any more. */
function tolerant<T>(readPart: () => T): T | undefined {
  try {
    return readPart();
  } catch {
    return undefined;
  }
}

function orGone(look: () => Look): Look {
  try {
    return look();
  } catch (thrown) {
    return isAbsence(errorCode(thrown)) ? { is: 'gone' } : { is: 'unreadable' };
  }
}

/** Not ours to read, or in a folder deeper than anything says: what is left is the first argument. */
function isHidden(code: string | undefined): boolean {
  return code === 'EACCES' || code === 'EPERM' || code === 'ENAMETOOLONG';
}

function isAbsence(code: string | undefined): boolean {
  return code === 'ENOENT' || code === 'ESRCH';
}

function errorCode(thrown: unknown): string | undefined {
  return thrown instanceof Error ? (thrown as NodeJS.ErrnoException).code : undefined;
}
