/**
 * The signals of a running agent (contract C4), heeded from its first moment: one that comes while the agent is
 * still starting waits until somebody can act on it, and never ends the process by itself.
 */

export interface Signals {
  /** The first signal that asks the agent to end. */
  readonly stop: Promise<NodeJS.Signals>;
  /** Calls `fn` whenever a reload is asked for, and at once when that was before. */
  onReload(fn: () => void): void;
}

/** Windows has no signal for a reload: closing the console is SIGHUP there, Ctrl-Break is SIGBREAK. */
const STOP: readonly NodeJS.Signals[] =
  process.platform === 'win32' ? ['SIGINT', 'SIGTERM', 'SIGBREAK', 'SIGHUP'] : ['SIGINT', 'SIGTERM'];

export function heedSignals(): Signals {
  let missed = false;
  let reload = () => {
    missed = true;
  };
  if (process.platform !== 'win32') process.on('SIGHUP', () => reload());
  const stop = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of STOP) process.on(signal, resolve);
  });
  return {
    stop,
    onReload(fn) {
      reload = fn;
      if (missed) fn();
    },
  };
}
