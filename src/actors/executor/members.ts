/**
 * The processes that one close is about: the target and what of its family runs the same program. A game can be
 * thousands of them, with a command line of 64 KB each: one is looked at with care when it is found, and from then on at
 * the least cost; of its words none are kept, and whatever goes over all of them lets the thread breathe.
 */
import { isSameExecution } from '../../protocol/execution.ts';
import type { CloseTask } from '../../protocol/messages.ts';
import {
  type Attempt,
  isPartOf,
  type Marked,
  type ProcessControl,
  type Relative,
  type SeenProcess,
} from './process-control.ts';

export type Refusal = Extract<Attempt, { readonly reason: string }>;

export interface Members {
  /** Whether one runs whose closing was not refused. */
  anyRuns(): Promise<boolean>;
  /** Takes in what was born before the call. */
  grow(): Promise<void>;
  /** Does it to every one that runs and did not refuse; true when one of them was reached. */
  apply(act: (member: Marked) => Attempt): Promise<boolean>;
  /** Why a member that still runs could not be closed. */
  refusal(): Refusal | null;
}

/** `seen`: the target as it is now. */
export async function trackMembers(
  { target, ownPids }: CloseTask,
  seen: SeenProcess,
  control: ProcessControl,
): Promise<Members> {
  const { pace } = control;
  /** What is found dead is taken out: its pid may be a new member's. The target can come back from another program. */
  const members = new Map<number, Marked>([[target.pid, target]]);
  const refused = new Map<number, Refusal>();
  let newestLooked: number | null = null;

  function runs(member: Marked): boolean {
    if (control.runs(member)) return true;
    if (member !== target) members.delete(member.pid);
    refused.delete(member.pid);
    return false;
  }

  async function grow(): Promise<void> {
    const newest = control.newestPid();
    if (newest !== null && newest === newestLooked) return;
    newestLooked = newest;
    for (;;) {
      // Only of members that still run: a dead one's pid may be another's by now.
      const parents = new Set<number>();
      for (const member of members.values()) {
        while (pace.isOver()) await pace.next();
        if (runs(member)) parents.add(member.pid);
      }
      const before = members.size;
      for (const relative of await control.relatives(parents, seen)) {
        while (pace.isOver()) await pace.next();
        const { pid } = relative;
        const member = members.has(pid) || ownPids.includes(pid) ? null : memberOf(relative);
        if (member) members.set(pid, member);
      }
      if (members.size === before) return;
    }
  }

  function memberOf(relative: Relative): Marked | null {
    const { path, command } = target;
    const { pid, startKey, execution = null } = relative;
    if (startKey !== undefined && isSameExecution(target, relative)) {
      return { pid, startKey, execution, path, command };
    }
    const child = control.look(pid);
    if (!child || !isPartOf(target, child)) return null;
    return { ...child, path: path ?? child.path, command: command ?? child.command };
  }

  await grow();
  return {
    grow,
    async anyRuns() {
      for (const member of members.values()) {
        while (pace.isOver()) await pace.next();
        if (!refused.has(member.pid) && runs(member)) return true;
      }
      return false;
    },
    async apply(act) {
      let reached = false;
      for (const member of members.values()) {
        while (pace.isOver()) await pace.next();
        const attempt = !refused.has(member.pid) && runs(member) ? act(member) : GONE;
        if (attempt.kind === 'done') reached = true;
        else if (isRefusal(attempt)) refused.set(member.pid, attempt);
      }
      return reached;
    },
    refusal() {
      for (const [pid, { kind, reason }] of refused) {
        const member = members.get(pid);
        if (member && runs(member)) {
          return { kind, reason: pid === target.pid ? reason : `process ${pid}: ${reason}` };
        }
      }
      return null;
    },
  };
}

const GONE: Attempt = { kind: 'gone' };

function isRefusal(attempt: Attempt): attempt is Refusal {
  return attempt.kind === 'denied' || attempt.kind === 'failed';
}
