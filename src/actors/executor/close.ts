/**
 * Closing one process: ask, wait, force, verify (contract K4). Works on any ProcessControl and any clock; what it
 * reports is what it saw, never what it hoped: "closed" means that the process was looked for and is gone, or runs
 * another executable.
 */
import type { CloseReport, CloseStage } from '../../protocol/commands.ts';
import type { CloseResult, CloseTask } from '../../protocol/messages.ts';
import { isRaised } from '../../runtime/shared-flag.ts';
import { type Members, trackMembers } from './members.ts';
import {
  AccessDenied,
  goesOn,
  isStill,
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
/** And so many times as long as it took to find them: in a crowd all threads look, and the other actors must get their turn. */
const CHILDREN_REST = 10;

const IN_DOUBT =
  'it goes on with another command line; it cannot be told whether that is the game, so it was left alone';

const WITHDRAWN = 'the close was withdrawn: there is time again';

export interface CloseClock {
  monotonic(): number;
  after(ms: number, fn: () => void): () => void;
}

/**
 * Closes the target and its members; settles some looks after `waitMs + FORCE_WAIT_MS` at the latest, and never rejects.
 */
export async function closeProcess(
  task: CloseTask,
  control: ProcessControl,
  clock: CloseClock,
): Promise<CloseResult> {
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

  const orGoesOn = (result: CloseReport, now: SeenProcess | null): CloseResult =>
    goesOn(task.target, now) ? { ...result, goesOn: true } : result;
  const notRunning = (now: SeenProcess | null) => orGoesOn(report('not_running'), now);
  const withdrawn = (): CloseResult => ({ ...report('failed', WITHDRAWN), withdrawn: true });

  reached('accepted');
  try {
    if (isOwn(task)) return report('denied', 'the process belongs to the agent itself');
    const seen = control.look(task.target.pid);
    if (!isStill(task.target, seen)) return notRunning(seen);
    if (isWithdrawn(task)) return withdrawn();
    const group = await trackMembers(task, seen, control);

    const asked = await group.apply((member) => control.ask(member));
    if (asked) {
      reached('asked');
      await gone(group, clock, task.waitMs, undefined, () => isWithdrawn(task));
    }
    if (await group.anyRuns()) {
      if (isWithdrawn(task)) return withdrawn();
      const force = () => group.apply((member) => control.force(member));
      if (await force()) reached('forced');
      await gone(group, clock, FORCE_WAIT_MS, force);
    }

    const refused = group.refusal();
    if (refused) return report(refused.kind, refused.reason);
    if (await group.anyRuns()) {
      return report('failed', `it still runs ${FORCE_WAIT_MS / 1_000} s after it was forced`);
    }
    const now = control.look(task.target.pid);
    if (stages.length === 1) return notRunning(now);
    if (mayStillBe(task.target, now)) return { ...report('failed', IN_DOUBT), goesOn: true };
    reached('verified');
    return orGoesOn(report('closed'), now);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return report(error instanceof AccessDenied ? 'denied' : 'failed', why);
  }
}

/** Waits until no member is left, the time is over or `enough`; `again` is what new members get. */
async function gone(
  members: Members,
  clock: CloseClock,
  ms: number,
  again?: () => Promise<unknown>,
  enough = () => false,
): Promise<void> {
  const end = clock.monotonic() + ms;
  let childrenAt = clock.monotonic() + CHILDREN_EVERY_MS;
  for (;;) {
    // The last one may have left a fork of itself behind.
    const none = !(await members.anyRuns());
    if (none || clock.monotonic() >= childrenAt) {
      const from = clock.monotonic();
      await members.grow();
      const tookMs = clock.monotonic() - from;
      await again?.();
      childrenAt = clock.monotonic() + Math.max(CHILDREN_EVERY_MS, CHILDREN_REST * tookMs);
    }
    const leftMs = end - clock.monotonic();
    if (leftMs <= 0 || enough() || (none && !(await members.anyRuns()))) return;
    await new Promise<void>((resolve) => clock.after(Math.min(LOOK_EVERY_MS, leftMs), resolve));
  }
}

/** Time was given since: whoever has been asked already may still go. */
function isWithdrawn({ withdrawn }: CloseTask): boolean {
  return withdrawn !== undefined && isRaised(withdrawn);
}

/** Pids up to 1 are not processes to close: 0 and below address whole groups, 1 is the system's. */
function isOwn({ target, ownPids }: CloseTask): boolean {
  return target.pid <= 1 || !Number.isInteger(target.pid) || ownPids.includes(target.pid);
}
