/**
 * What Linux says of a process, as text: /proc/PID/stat and the link /proc/PID/exe (its command line: command-line.ts).
 * Each actor reads the files itself; this is the one place that understands them, so that both mean the same process.
 * Pure.
 */

export interface ProcStat {
  readonly pid: number;
  /** The kernel's name of the program, cut to 15 characters. */
  readonly comm: string;
  readonly state: string;
  readonly ppid: number;
  readonly threads: number;
  /** Clock ticks from the boot to the start: field 22. */
  readonly startTicks: string;
  /**
   * Which execution of a program this is (execution.ts): where its code begins and ends and where its stack began,
   * fields 26 to 28. The kernel chooses them anew at each exec, at random unless that is switched off, and a fork
   * keeps them. null: not for this reader, or there is no program (a kernel thread, in the midst of an exec, at the end).
   */
  readonly execution: string | null;
  /** A thread of the kernel itself, which runs no program: PF_KTHREAD among the flags, field 9 (the kernel's sched.h). */
  readonly ofKernel: boolean;
}

const PF_KTHREAD = 0x00200000;

/** null: not the text of a process (a file read while the process went can be empty). */
export function parseProcStat(text: string): ProcStat | null {
  // The name may hold spaces and parentheses: the last ")" ends it.
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  const rest = text.slice(close + 2).split(' ');
  const [state, ppid] = rest;
  const threads = rest[17];
  const startTicks = rest[19];
  const [startCode, endCode, startStack] = rest.slice(23, 26);
  if (open < 1 || close < open || !state || !ppid || !threads || !startTicks) return null;
  return {
    pid: Number.parseInt(text, 10),
    comm: text.slice(open + 1, close),
    state,
    ppid: Number(ppid),
    threads: Number(threads),
    startTicks,
    // Who may not know them reads 1, 1 and 0; in the midst of an exec the code is still at 0.
    execution: Number(startCode) > 1 ? `${startCode}:${endCode}:${startStack}` : null,
    ofKernel: (Number(rest[6]) & PF_KTHREAD) !== 0,
  };
}

/**
 * Ended and only waiting for its parent to notice. A process whose first thread ended while others run on looks
 * like a zombie too, but still has them.
 */
export function isGone(stat: ProcStat): boolean {
  return stat.state === 'X' || stat.state === 'x' || (stat.state === 'Z' && stat.threads <= 1);
}

/** The `startKey` of a process on Linux: which boot (from /proc/sys/kernel/random/boot_id), and when in it. */
export function linuxStartKey(bootId: string, startTicks: string): string {
  return `${bootId.slice(0, 8)}:${startTicks}`;
}

/** The link /proc/PID/exe without the mark that the kernel adds once the file is unlinked. */
export function executablePath(link: string): string {
  return link.replace(/ \(deleted\)$/, '');
}
