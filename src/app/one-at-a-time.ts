/** Work that is done one after the other, with a bounded line before it. */

/** Runs `task` when those before it are done; null, and nothing is run, when the line is full. */
export type InTurn = <T>(task: () => Promise<T>) => Promise<T> | null;

/** At most `limit` tasks are in line, the one that runs counted. */
export function oneAtATime(limit: number): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  let inLine = 0;
  return (task) => {
    if (inLine >= limit) return null;
    inLine += 1;
    const done = last.then(task).finally(() => {
      inLine -= 1;
    });
    last = done.catch(() => {});
    return done;
  };
}
