/**
 * Closing games for whoever wants it: the session actor, a command, the self-test. It marks how the coming stop is to
 * be told, has the executor close each process, and takes the mark back when none of its closes did it.
 */
import type { CloseReport } from '../protocol/commands.ts';
import type { Config } from '../protocol/config.ts';
import type { Explanation } from '../protocol/events.ts';
import { isSameExecution } from '../protocol/execution.ts';
import type { CloseOrder, CloseTask, GameProcess, ProcessIdentity, ToSession } from '../protocol/messages.ts';
import type { Store, ToldProcess } from '../protocol/ports.ts';
import { processKey } from './process-key.ts';
import type { ToldProcesses } from './told-processes.ts';

export interface ClosingOptions {
  readonly store: Pick<Store, 'commit'>;
  readonly told: ToldProcesses;
  readonly config: () => Config;
  readonly postToSession: (message: ToSession) => void;
  readonly close: (task: CloseTask) => Promise<CloseReport>;
  readonly log: { info(fields: object, message: string): void };
}

export interface Closing {
  /** What the session actor ordered; it is told the outcome. */
  carryOut(order: CloseOrder): Promise<void>;
  /** Closes a child's games for a command; settles with one report for each process. */
  closeGames(child: string, game: string | undefined, reason?: string): Promise<readonly CloseReport[]>;
  /** Closes these; `how` their stops are told, and why. */
  closeAll(
    rows: readonly ToldProcess[],
    how: ToldProcess['closing'],
    why?: Explanation,
  ): Promise<readonly CloseReport[]>;
  /** How the stop of a new process is to be told: one that was forked from what is being closed is closed with it. */
  markOf(process: GameProcess): Mark;
  /** Its stop is told: there is no mark any more to take back. */
  ended(identity: ProcessIdentity): void;
}

type Mark = Pick<ToldProcess, 'closing' | 'why'>;

/** A process that is being closed, until the closes that were ordered with it have settled too. */
interface UnderWay extends Mark {
  readonly target: GameProcess;
}

/** The executor closes a process with what was forked from it (contract K4), even where that was told as its own. */
const isKin = (a: GameProcess, b: GameProcess) =>
  processKey(a) !== processKey(b) && isSameExecution(a, b) && a.user === b.user;

export function createClosing(options: ClosingOptions): Closing {
  const { store, told, config, log } = options;
  /** Closes under way or done, by process: how its stop is to be told is known as long as there is one. */
  const closes = new Map<string, number>();
  const underWay = new Set<UnderWay>();
  const kinUnderWay = (process: GameProcess) => [...underWay].find(({ target }) => isKin(target, process));

  async function closeAll(
    rows: readonly ToldProcess[],
    how: ToldProcess['closing'],
    why?: Explanation,
  ): Promise<readonly CloseReport[]> {
    const waitMs = config().enforcement.close_wait_seconds * 1_000;
    store.commit(() => {
      for (const row of rows) if (!row.closing) told.markClosing(row.process, how, why);
    });
    const ordered = rows.map(({ process: target }) => ({ target, closing: how, ...(why && { why }) }));
    for (const one of ordered) underWay.add(one);
    const reports = Promise.all(
      rows.map(async ({ process: target }) => {
        count(target, 1);
        const { pid, startKey, name, path, command, execution = null } = target;
        const report = await options.close({
          target: { pid, startKey, name, path, command, execution },
          waitMs,
          ownPids: [process.pid],
        });
        if (report.outcome !== 'closed' && count(target, -1) === 0) takeBack(target, report);
        return report;
      }),
    );
    return reports.finally(() => {
      for (const one of ordered) underWay.delete(one);
    });
  }

  function takeBack(target: GameProcess, { outcome }: CloseReport): void {
    // Gone before its turn, with its kin.
    if (outcome === 'not_running' && kinUnderWay(target)) return;
    told.markClosing(target, null);
    const heirs = told
      .all()
      .filter(({ process }) => isKin(target, process) && !closes.has(processKey(process)));
    for (const { process } of heirs) told.markClosing(process, null);
  }

  function count(identity: ProcessIdentity, by: 1 | -1): number {
    const key = processKey(identity);
    const closing = (closes.get(key) ?? 0) + by;
    if (closing > 0) closes.set(key, closing);
    else closes.delete(key);
    return closing;
  }

  return {
    async carryOut(order) {
      const rows = order.targets.flatMap((target) => told.get(target) ?? []);
      log.info({ child: order.child, game: order.game, why: order.why.sentence }, 'closing a game');
      const reports = await closeAll(rows, order.cause === 'pause' ? 'pause' : 'limit', order.why);
      options.postToSession({ type: 'close.report', ticket: order.ticket, reports });
    },
    closeGames(child, game, reason) {
      log.info({ child, game, reason }, 'closing a game for a command');
      const rows = told.all().filter((row) => row.child === child && (!game || row.process.game === game));
      return closeAll(rows, 'command');
    },
    closeAll,
    markOf(process) {
      const { closing = null, why } = kinUnderWay(process) ?? {};
      return { closing, ...(why && { why }) };
    },
    ended: (identity) => void closes.delete(processKey(identity)),
  };
}
