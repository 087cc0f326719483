/**
 * Which execution of a program a process is. A process can reword its command line, and whoever owns the file can
 * rename it while it runs; only an exec makes it another program, and what is kept here changes with an exec alone.
 * Where it comes from on Linux stands in proc-stat.ts; other platforms have none.
 */

export interface Executing {
  /** Opaque. null, or left out (by other platforms, and in rows that an older version stored): not known. */
  readonly execution?: string | null;
}

/** true: no exec lies between the two. false: one does, or it cannot be known. */
export function isSameExecution(a: Executing, b: Executing): boolean {
  return typeof a.execution === 'string' && a.execution === b.execution;
}
