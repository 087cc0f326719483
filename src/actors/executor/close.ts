/**
 * Closing one process: ask, wait, force, verify (contract K4). Works on any ProcessControl and any clock; what it
 * reports is what it saw, never what it hoped: "closed" means that the process was looked for and is gone, or runs
 * another executable.
 */
import type { CloseReport, CloseStage } from '../../protocol/commands.ts';
import type { CloseTask } from '../../protocol/messages.ts';
import {
  AccessDenied,
  type Attempt,
  isPartOf,
  isStill,
  type Marked,
  mayStillBe,
  type ProcessControl,
  type SeenProcess,
} from './process-control.ts';

/** How long a forced process may take to go, ms. Longer means that it hangs in the kernel. */
export const FORCE_WAIT_MS = 3_000;
/** How often the processes are looked at while they go, ms. */
const LOOK_EVERY_MS = 20;
/** How often their new children are looked for meanwhile, ms: listing all processes costs milliseconds. */
const CHILDREN_EVERY_MS = 200;

const IN_DOUBT =
  'it goes on with another command line; it cannot be told whether that is the game, so it was left alone';

export interface CloseClock {
  monotonic(): number;
  after(ms: number, fn: () => void): () => void;
}

/** Closes the target and its members; settles at the latest `waitMs + FORCE_WAIT_MS` later, and never rejects. */
export async function closeProcess(
  task: CloseTask,
  control: ProcessControl,
  clock: CloseClock,
): Promise<CloseReport> {
  const startedAt = clock.monotonic();
  const elapsed = () => Math.round((clock.monotonic() - startedAt) * 10) / 10;
  const stages: { stage: CloseStage; at_ms: number }[] = [];
  const reached = (stage: CloseStage) => stages.push({ stage, at_ms: elapsed() });
  const report = (outcome: CloseReport['outcome'], error?: string): CloseReport => ({
    pid: task.target.pid,
    name: task.target.name,
    outcome,
    waited_ms: elapsed(),
    stages,
    ...(error !== undefined && { error }),
  });

  reached('accepted');
  try {
    if (isOwn(task)) return report('denied', 'the process belongs to the agent itself');
    const seen = control.look(task.target.pid);
    if (!isStill(task.target, seen)) return report('not_running');
    const group = await trackMembers(task, seen, control);

    const asked = group.apply((member) => control.ask(member));
    if (asked) {
      reached('asked');
      await gone(group, clock, task.waitMs, () => {});
    }
    if (group.living().length > 0) {
      const force = () => group.apply((member) => control.force(member));
      if (force()) reached('forced');
      await gone(group, clock, FORCE_WAIT_MS, force);
    }
    return verdict();

    function verdict(): CloseReport {
      const refused = group.refusal();
      if (refused) return report(refused.kind, refused.reason);
      if (group.living().length > 0) {
        return report('failed', `it still runs ${FORCE_WAIT_MS / 1_000} s after it was forced`);
      }
      if (stages.length === 1) return report('not_running');
      if (mayStillBe(task.target, control.look(task.target.pid))) return report('failed', IN_DOUBT);
      reached('verified');
      return report('closed');
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return report(error instanceof AccessDenied ? 'denied' : 'failed', why);
  }
}

type Refusal = Extract<Attempt, { readonly reason: string }>;

interface Members {
  /** Members that still run and whose closing was not refused. */
  living(): Marked[];
  /** Takes in what was born before the call. */
  grow(): Promise<void>;
  /** Does it to every living member; true when one of them was reached. */
  apply(act: (member: Marked) => Attempt): boolean;
  /** Why a member that still runs could not be closed. */
  refusal(): Refusal | null;
}

/** The target and what of its family runs the same program: they are closed as one. */
async function trackMembers(task: CloseTask, root: SeenProcess, control: ProcessControl): Promise<Members> {
  const members = new Map<number, Marked>([[task.target.pid, task.target]]);
  const refused = new Map<number, Refusal>();
  const runs = (member: Marked) => isStill(member, control.look(member.pid));
  const living = () => [...members.values()].filter((member) => !refused.has(member.pid) && runs(member));

  let newestLooked: number | null = null;

  /** Only of members that still run: a dead one's pid may be another's by now. */
  async function grow(): Promise<void> {
    const newest = control.newestPid();
    if (newest !== null && newest === newestLooked) return;
    newestLooked = newest;
    for (;;) {
      const parents = new Set([...members.values()].filter(runs).map((member) => member.pid));
      const relatives = await control.relatives(parents, root);
      const fresh = relatives
        .filter((pid) => !members.has(pid) && !task.ownPids.includes(pid))
        .flatMap((pid) => control.look(pid) ?? [])
        .filter((child) => isPartOf(task.target, child));
      const { path, command } = task.target;
      for (const child of fresh) {
        members.set(child.pid, { ...child, path: child.path ?? path, command: child.command ?? command });
      }
      if (fresh.length === 0) return;
    }
  }
  await grow();

  return {
    living,
    grow,
    apply(act) {
      const attempts = living().map((member) => [member, act(member)] as const);
      for (const [{ pid }, { kind, reason }] of attempts.filter(wasRefused)) {
        refused.set(pid, { kind, reason: pid === task.target.pid ? reason : `process ${pid}: ${reason}` });
      }
      return attempts.some(([, attempt]) => attempt.kind === 'done');
    },
    refusal: () => [...members.values()].filter(runs).flatMap((m) => refused.get(m.pid) ?? [])[0] ?? null,
  };
}

function wasRefused(pair: readonly [Marked, Attempt]): pair is readonly [Marked, Refusal] {
  return pair[1].kind === 'denied' || pair[1].kind === 'failed';
}

/** Waits until no member is left or the time is over; `again` is what new members get. */
async function gone(members: Members, clock: CloseClock, ms: number, again: () => void): Promise<void> {
  const end = clock.monotonic() + ms;
  let childrenAt = clock.monotonic() + CHILDREN_EVERY_MS;
  for (;;) {
    const now = clock.monotonic();
    // The last one may have left a fork of itself behind.
    const none = members.living().length === 0;
    if (none || now >= childrenAt) {
      await members.grow();
      again();
      childrenAt = now + CHILDREN_EVERY_MS;
    }
    if (now >= end || (none && members.living().length === 0)) return;
    await new Promise<void>((resolve) => clock.after(Math.min(LOOK_EVERY_MS, end - now), resolve));
  }
}

/** Pids up to 1 are not processes to close: 0 and below address whole groups, 1 is the system's. */
function isOwn({ target, ownPids }: CloseTask): boolean {
  return target.pid <= 1 || !Number.isInteger(target.pid) || ownPids.includes(target.pid);
}
