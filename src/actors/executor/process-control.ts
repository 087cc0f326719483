/**
 * What closing needs of a platform: to look at a process, to find its children, to ask it to end and to force it.
 * close.ts decides with it; the implementations stand in platform/.
 */
import { type Executing, isSameExecution } from '../../protocol/execution.ts';
import type { ProcessIdentity } from '../../protocol/messages.ts';
import type { Pace } from './pace.ts';

/** A process that must still be the same program when it is touched (contract K4). */
export interface Marked extends ProcessIdentity, Executing {
  readonly path: string | null;
  readonly command: string | null;
}

/** A process as it is now. */
export interface SeenProcess extends ProcessIdentity, Executing {
  /** The executable; null: it cannot be read. */
  readonly path: string | null;
  /** null: it cannot be read. */
  readonly command: string | null;
  /** The account that runs it; left out where executions are not known. */
  readonly uid?: number | null;
}

/** What became of asking or forcing one process. */
export type Attempt =
  | { readonly kind: 'done' }
  /** It ended, or became another program, before it was touched. */
  | { readonly kind: 'gone' }
  /** There is no way to ask it (no window, say). */
  | { readonly kind: 'cannot' }
  | { readonly kind: 'denied'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string };

/** The system does not let the agent look at a process that is there. */
export class AccessDenied extends Error {}

/** Who may be part of a process. */
export interface Relative extends Executing {
  readonly pid: number;
  /** Left out: not known without a look. */
  readonly startKey?: string;
}

export interface ProcessControl {
  /** Of whatever goes over many processes. */
  readonly pace: Pace;
  /** Who has this pid now; null: nobody who still runs. Throws AccessDenied when that cannot be known. */
  look(pid: number): SeenProcess | null;
  /**
   * Whether it still runs what was marked (`isStill`), at the least cost: it is asked again and again of a game that can
   * be hundreds of processes with a long command line each.
   */
  runs(marked: Marked): boolean;
  /**
   * The direct children of these processes and, where executions are known, what else was forked from `root`
   * (`isForkOf`): who is forked twice, or as its parent ends, is nobody's child. Nobody is left out who was there when it
   * was called, but of these processes themselves.
   */
  relatives(pids: ReadonlySet<number>, root: SeenProcess): readonly Relative[] | Promise<readonly Relative[]>;
  /** The pid that was given out last: while it stands still nobody has new relatives. null: not known here. */
  newestPid(): number | null;
  /** Both look again right before they touch, and touch nothing that is not `marked` any more. */
  ask(marked: Marked): Attempt;
  force(marked: Marked): Attempt;
}

/**
 * Whether what has the pid now is the program that was marked. In the same execution it is, whatever its file and
 * its command line are called by now: both are in the child's hands while the game runs. After another exec, or
 * where none can be told, the executable and the command line decide. What cannot be read on either side is not
 * held against it: the start key alone decides then.
 */
export function isStill(marked: Marked, seen: SeenProcess | null): seen is SeenProcess {
  if (!isSameProcess(marked, seen)) return false;
  if (isSameExecution(marked, seen)) return true;
  return samePath(marked.path, seen.path) && sameCommand(marked.command, seen.command);
}

/**
 * The marked process under the same executable with another command line: an interpreter that executes another
 * script, or the marked program itself, executed again or reworded. Which of them cannot be told, so it is not
 * touched (contract K4); but nobody may say that it is gone either.
 */
export function mayStillBe(marked: Marked, seen: SeenProcess | null): boolean {
  if (!isSameProcess(marked, seen) || !samePath(marked.path, seen.path)) return false;
  return !isSameExecution(marked, seen) && !sameCommand(marked.command, seen.command);
}

/** The marked process runs another program now, or the same one in another way: not to be touched, but not gone. */
export function goesOn(marked: Marked, seen: SeenProcess | null): boolean {
  return isSameProcess(marked, seen) && !isStill(marked, seen);
}

/** A child that runs the same executable and command line, or that was forked from it, is part of its parent (contract K4). */
export function isPartOf(marked: Marked, child: SeenProcess): boolean {
  if (isSameExecution(marked, child)) return true;
  const readable = child.path !== null || child.command !== null;
  return readable && samePath(marked.path, child.path) && sameCommand(marked.command, child.command);
}

/**
 * Forked from the other, or both from one process. Where the kernel places nothing at random two executions can look the
 * same, so the account, the executable and the command line must be the same too: no stranger is taken for a fork.
 */
export function isForkOf(root: SeenProcess, seen: SeenProcess): boolean {
  const sameProgram = root.path === seen.path && root.command === seen.command;
  return root.pid !== seen.pid && isSameExecution(root, seen) && root.uid === seen.uid && sameProgram;
}

function isSameProcess(marked: Marked, seen: SeenProcess | null): seen is SeenProcess {
  return seen !== null && seen.pid === marked.pid && seen.startKey === marked.startKey;
}

function samePath(marked: string | null, seen: string | null): boolean {
  return marked === null || seen === null || marked === seen;
}

function sameCommand(marked: string | null, seen: string | null): boolean {
  return marked === null || seen === null || marked === seen || plain(marked) === plain(seen);
}

/** Arguments are joined with spaces by some readers and with NULs by others. */
function plain(command: string): string {
  return command.replace(/[\0\s]+/g, ' ').trim();
}
