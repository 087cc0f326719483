/**
 * Closing games for whoever wants it: the session actor, a command, the self-test. It marks how the coming stop is to
 * be told, has the executor close each process, and takes the mark back when none of its closes did it.
 */
import type { CloseReport } from '../protocol/commands.ts';
import type { Config } from '../protocol/config.ts';
import type { Explanation } from '../protocol/events.ts';
import type { CloseOrder, CloseTask, ProcessIdentity, ToSession } from '../protocol/messages.ts';
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
  /** Its stop is told: there is no mark any more to take back. */
  ended(identity: ProcessIdentity): void;
}

export function createClosing(options: ClosingOptions): Closing {
  const { store, told, config, log } = options;
  /** Closes under way or done, by process: how its stop is to be told is known as long as there is one. */
  const closes = new Map<string, number>();

  async function closeAll(
    rows: readonly ToldProcess[],
    how: ToldProcess['closing'],
    why?: Explanation,
  ): Promise<readonly CloseReport[]> {
    const waitMs = config().enforcement.close_wait_seconds * 1_000;
    store.commit(() => {
      for (const row of rows) if (!row.closing) told.markClosing(row.process, how, why);
    });
    return Promise.all(
      rows.map(async ({ process: target }) => {
        count(target, 1);
        const { pid, startKey, name, path, command, execution = null } = target;
        const report = await options.close({
          target: { pid, startKey, name, path, command, execution },
          waitMs,
          ownPids: [process.pid],
        });
        if (report.outcome !== 'closed' && count(target, -1) === 0) told.markClosing(target, null);
        return report;
      }),
    );
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
    ended: (identity) => void closes.delete(processKey(identity)),
  };
}
