/**
 * Whether a process still runs, asked by main for the time in which no scanner looks: one file of /proc on Linux, a handle on
 * Windows. Elsewhere there is no cheap way to ask, and nothing is known.
 */

import type { ProcessIdentity } from '../protocol/messages.ts';
import { isGone, linuxStartKey, parseProcStat } from '../protocol/proc-stat.ts';
import { boundedReader } from '../runtime/bounded-read.ts';

/** `unknown`: it could not be asked, which is never taken for an end (contract E3). */
export type Presence = 'runs' | 'gone' | 'unknown';

type AskPresence = (identity: ProcessIdentity) => Presence;

export async function loadPresence(bootId: string, platform = process.platform): Promise<AskPresence> {
  if (platform === 'linux') return linuxPresence(bootId);
  if (platform === 'win32') return windowsPresence();
  return () => 'unknown';
}

/** `read` comes in so that a failing one can be tried. */
export function linuxPresence(bootId: string, read = boundedReader(4_096)): AskPresence {
  return ({ pid, startKey }) => {
    try {
      const stat = parseProcStat(read(`/proc/${pid}/stat`, 'latin1'));
      if (!stat) return 'unknown';
      return isGone(stat) || linuxStartKey(bootId, stat.startTicks) !== startKey ? 'gone' : 'runs';
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : null;
      return code === 'ENOENT' || code === 'ESRCH' ? 'gone' : 'unknown';
    }
  };
}

async function windowsPresence(): Promise<AskPresence> {
  const { windowsControl } = await import('../actors/executor/platform/windows.ts');
  const control = windowsControl();
  return ({ pid, startKey }) => {
    try {
      return control.look(pid)?.startKey === startKey ? 'runs' : 'gone';
    } catch {
      return 'unknown';
    }
  };
}
