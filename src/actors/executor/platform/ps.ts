/**
 * Closing where only `ps` tells of processes: macOS and the BSDs. Untested on macOS. SIGTERM asks, SIGKILL forces,
 * by pid right after a look: between the two lies the time of a system call, since nothing holds a process there.
 * The start is told in whole seconds.
 */
import { execFileSync } from 'node:child_process';
import { joinedCommandLine, keptCommand } from '../../../protocol/command-line.ts';
import { createPace } from '../pace.ts';
import {
  type Attempt,
  isStill,
  type Marked,
  type ProcessControl,
  type SeenProcess,
} from '../process-control.ts';

const PS_TIMEOUT_MS = 2_000;
/** pid, parent, state, then `Sun Nov 23 17:52:03 2026`, then the command line. */
const LINE = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(\S+\s+\S+\s+\d+\s+[\d:]+\s+\d+)\s+(.*)$/;

export function psControl(): ProcessControl {
  function look(pid: number): SeenProcess | null {
    return ps(['-p', String(pid)]).find((seen) => seen.pid === pid) ?? null;
  }

  const runs = (marked: Marked) => isStill(marked, look(marked.pid));

  function signal(marked: Marked, name: 'SIGTERM' | 'SIGKILL'): Attempt {
    if (!runs(marked)) return { kind: 'gone' };
    try {
      process.kill(marked.pid, name);
      return { kind: 'done' };
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
      if (code === 'ESRCH') return { kind: 'gone' };
      return { kind: code === 'EPERM' ? 'denied' : 'failed', reason: `${code}: the signal was refused` };
    }
  }

  return {
    pace: createPace(),
    look,
    runs,
    relatives: (parents) => ps(['-ax']).flatMap(({ pid, parent }) => (parents.has(parent) ? [{ pid }] : [])),
    newestPid: () => null,
    ask: (marked) => signal(marked, 'SIGTERM'),
    force: (marked) => signal(marked, 'SIGKILL'),
  };
}

type Listed = SeenProcess & { readonly parent: number };

/** Living processes; `ps` ends with 1 when none was found. */
function ps(which: readonly string[]): Listed[] {
  let text = '';
  try {
    const args = ['-ww', ...which, '-o', 'pid=,ppid=,stat=,lstart=,args='];
    const env = { ...process.env, LC_ALL: 'C' };
    const stdio = ['ignore', 'pipe', 'ignore'] as const;
    text = execFileSync('ps', args, { encoding: 'utf8', env, stdio: [...stdio], timeout: PS_TIMEOUT_MS });
  } catch (error) {
    if (!(error instanceof Error && 'status' in error && error.status === 1)) throw error;
  }
  return text.split('\n').flatMap(parseLine);
}

/** One line of `ps`; a zombie is nobody. */
export function parseLine(line: string): Listed[] {
  const [, pid, parent, state, started, command = ''] = LINE.exec(line) ?? [];
  if (!pid || !parent || !started || state?.startsWith('Z')) return [];
  const startKey = String(new Date(started).getTime());
  // As the scanner has it from the same words.
  const kept = keptCommand(joinedCommandLine(command.trim()).text) || null;
  return [{ pid: Number(pid), parent: Number(parent), startKey, path: null, command: kept }];
}
