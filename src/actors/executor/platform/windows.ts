/**
 * Closing on Windows: WM_CLOSE to its visible windows asks, TerminateProcess forces. Each goes through a handle
 * whose creation time, image and command line were checked, and while that handle is open the pid cannot be given
 * to another process. A service in session 0 sees no windows of the child: it cannot ask and forces at once.
 */
import { createPace } from '../pace.ts';
import {
  AccessDenied,
  type Attempt,
  isStill,
  type Marked,
  type ProcessControl,
  type SeenProcess,
} from '../process-control.ts';
import { type Handle, loadWin32, type Win32 } from './win32.ts';

export function windowsControl(win32: Win32 = loadWin32()): ProcessControl {
  function look(pid: number): SeenProcess | null {
    const handle = win32.open(pid, 'query');
    if (handle !== null) return closing(handle, () => identify(pid, handle));
    if (!win32.processes().some((entry) => entry.pid === pid)) return null;
    throw new AccessDenied(`ERROR_ACCESS_DENIED: the agent may not look at process ${pid}`);
  }

  function identify(pid: number, handle: Handle): SeenProcess | null {
    const startKey = win32.hasExited(handle) ? null : win32.creationTime(handle);
    if (startKey === null) return null;
    return { pid, startKey, path: win32.imagePath(handle), command: win32.commandLine(handle) };
  }

  /** Does it while the process is held, if it still is the one that was marked. */
  function held(marked: Marked, rights: 'query' | 'terminate', act: (handle: Handle) => Attempt): Attempt {
    const handle = win32.open(marked.pid, rights);
    if (handle !== null) {
      return closing(handle, () =>
        isStill(marked, identify(marked.pid, handle)) ? act(handle) : { kind: 'gone' },
      );
    }
    if (!isStill(marked, look(marked.pid))) return { kind: 'gone' };
    return { kind: 'denied', reason: 'ERROR_ACCESS_DENIED: the agent may not end this process' };
  }

  function closing<T>(handle: Handle, use: () => T): T {
    try {
      return use();
    } finally {
      win32.close(handle);
    }
  }

  return {
    pace: createPace(),
    look,
    runs: (marked) => isStill(marked, look(marked.pid)),
    relatives: (parents) =>
      win32.processes().flatMap(({ pid, parentPid }) => (parents.has(parentPid) ? [{ pid }] : [])),
    newestPid: () => null,
    ask: (marked) =>
      held(marked, 'query', () =>
        win32.closeWindows(marked.pid) > 0 ? { kind: 'done' } : { kind: 'cannot' },
      ),
    force: (marked) =>
      held(marked, 'terminate', (handle) => {
        if (win32.terminate(handle)) return { kind: 'done' };
        if (win32.hasExited(handle)) return { kind: 'gone' };
        return { kind: 'denied', reason: 'TerminateProcess was refused' };
      }),
  };
}
