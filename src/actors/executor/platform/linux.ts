/**
 * Closing on Linux: SIGTERM asks, SIGKILL forces. A pidfd holds the process between the look and the signal, so a
 * reused pid is never touched. What no call can hold is the program inside it: an exec within the microseconds
 * between the last look and the signal goes unseen. Where pidfds do not exist (before 5.3, or without koffi) the
 * signal goes by pid right after the look.
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { COMMAND_LINE_MAX_BYTES, commandLine, keptCommand } from '../../../protocol/command-line.ts';
import { isSameExecution } from '../../../protocol/execution.ts';
import {
  executablePath,
  isGone,
  linuxStartKey,
  type ProcStat,
  parseProcStat,
} from '../../../protocol/proc-stat.ts';
import { boundedReader } from '../../../runtime/bounded-read.ts';
import { createPace } from '../pace.ts';
import {
  type Attempt,
  isForkOf,
  isStill,
  type Marked,
  type ProcessControl,
  type Relative,
  type SeenProcess,
} from '../process-control.ts';
import type { Failure, Pidfds } from './pidfd.ts';

/** With pidfds where they can be had. */
export async function loadLinuxControl(): Promise<ProcessControl> {
  return linuxControl(await import('./pidfd.ts').then((module) => module.loadPidfds()).catch(() => null));
}

const { SIGTERM, SIGKILL } = constants.signals;

/**
 * One for all files: to look for children is to read hundreds, and `readFileSync` takes KBs anew for each, whose size
 * /proc does not tell.
 */
const readFile = boundedReader(COMMAND_LINE_MAX_BYTES);

export function linuxControl(pidfds: Pidfds | null): ProcessControl {
  const pace = createPace();
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1');

  function look(pid: number): SeenProcess | null {
    const stat = readStat(pid);
    return stat && !isGone(stat) ? lookAt(stat) : null;
  }

  /** The forks of a game have its command line word for word, and to take a long one apart costs most of a look. */
  let last: { readonly text: string; readonly command: string | null } = { text: '', command: null };
  function commandOf(pid: number): string | null {
    const text = readOr(() => readFile(`/proc/${pid}/cmdline`, 'utf8')) ?? '';
    if (text !== last.text) last = { text, command: keptCommand(commandLine(text).text) || null };
    return last.command;
  }

  const startKeyOf = (stat: ProcStat) => linuxStartKey(bootId, stat.startTicks);

  function lookAt(stat: ProcStat): SeenProcess {
    const { pid } = stat;
    const link = readOr(() => readlinkSync(`/proc/${pid}/exe`));
    return {
      pid,
      startKey: startKeyOf(stat),
      path: link === null ? null : executablePath(link),
      command: commandOf(pid),
      execution: stat.execution,
      uid: readOr(() => statSync(`/proc/${pid}`).uid),
    };
  }

  /** In its execution the file /proc/PID/stat is enough, whatever it is called by now. */
  function runs(marked: Marked): boolean {
    const stat = readStat(marked.pid);
    if (!stat || isGone(stat) || startKeyOf(stat) !== marked.startKey) return false;
    return isSameExecution(marked, stat) || isStill(marked, lookAt(stat));
  }

  async function relatives(parents: ReadonlySet<number>, root: SeenProcess): Promise<readonly Relative[]> {
    const found: Relative[] = [];
    for (const stat of await everyStat()) {
      while (pace.isOver()) await pace.next();
      const { pid, execution } = stat;
      if (!parents.has(stat.ppid)) {
        if (parents.has(pid) || !isSameExecution(root, stat)) continue;
        if (!isForkOf(root, lookAt(stat))) continue;
      }
      found.push({ pid, startKey: startKeyOf(stat), execution });
    }
    return found;
  }

  let coming: Promise<readonly ProcStat[]> | null = null;
  /** To read all takes 30 ms on a full machine: one reading serves all closes of this thread that asked before it began. */
  function everyStat(): Promise<readonly ProcStat[]> {
    coming ??= pace.next().then(() => {
      coming = null;
      return allPids()
        .flatMap((pid) => readStat(pid) ?? [])
        .filter((stat) => !isGone(stat));
    });
    return coming;
  }

  function signal(marked: Marked, number: number): Attempt {
    const send = (deliver: (signal: number) => Failure) =>
      runs(marked) ? attempt(deliver(number)) : ({ kind: 'gone' } as const);
    const held = pidfds?.withProcess(marked.pid, send);
    if (held && 'kind' in held) return held;
    if (held && held.failure !== 'ENOSYS') return attempt(held.failure);
    return send((code) => killByPid(marked.pid, code));
  }

  return {
    pace,
    look,
    runs,
    relatives,
    newestPid: () => readOr(() => Number(readFile('/proc/loadavg', 'latin1').trimEnd().split(' ').at(-1))),
    ask: (marked) => signal(marked, SIGTERM),
    force: (marked) => signal(marked, SIGKILL),
  };
}

function attempt(failure: Failure): Attempt {
  if (failure === null) return { kind: 'done' };
  if (failure === 'ESRCH') return { kind: 'gone' };
  if (failure === 'EPERM') {
    return {
      kind: 'denied',
      reason: 'EPERM: the agent may not signal this process; it belongs to another user',
    };
  }
  return { kind: 'failed', reason: failure };
}

function killByPid(pid: number, signal: number): Failure {
  try {
    process.kill(pid, signal);
    return null;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
}

function readStat(pid: number): ProcStat | null {
  const text = readOr(() => readFile(`/proc/${pid}/stat`, 'latin1'));
  return text === null ? null : parseProcStat(text);
}

function allPids(): number[] {
  return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}

/** Processes go while they are read: whatever cannot be read is null. */
function readOr<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
