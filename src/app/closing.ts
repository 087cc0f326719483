/**
 * Closing games for whoever wants it: the session actor, a command, the self-test. It marks how the coming stop is to
 * be told, has the executor close each process, and takes the mark back when none of its closes did it. A process that
 * meanwhile executes something else is touched only if that is the game, which the scanner alone can say: it is followed.
 */
import type { CloseReport } from '../protocol/commands.ts';
import type { Config } from '../protocol/config.ts';
import type { Explanation } from '../protocol/events.ts';
import { isSameExecution } from '../protocol/execution.ts';
import type {
  CloseOrder,
  CloseResult,
  CloseTask,
  GameProcess,
  ProcessIdentity,
  ToSession,
} from '../protocol/messages.ts';
import type { Clock, Store, ToldProcess } from '../protocol/ports.ts';
import { isRaised, raise, type SharedFlag, sharedFlag } from '../runtime/shared-flag.ts';
import { processKey } from './process-key.ts';
import type { ToldProcesses } from './told-processes.ts';

/** What the scanner has not said of a process within this, ms, is not known: other sources than events are no faster. */
const SAID_WITHIN_MS = 2_000;
/** How often one close follows a process from exec to exec, and for how long beyond its waiting time, ms. */
const MOST_FOLLOWED = 50;
const LONGEST_FOLLOWED_MS = 5_000;
/** Up to so many executions get what is left of the waiting time: a launcher needs one or two, more is dodging. */
const PATIENT_WITH = 3;

const UNTOLD = 'it executes something else since, and it is not known yet whether that is the game';

export interface ClosingOptions {
  readonly store: Pick<Store, 'commit'>;
  readonly told: ToldProcesses;
  readonly config: () => Config;
  readonly postToSession: (message: ToSession) => void;
  readonly close: (task: CloseTask) => Promise<CloseResult>;
  readonly clock: Pick<Clock, 'monotonic' | 'after'>;
  readonly log: { info(fields: object, message: string): void };
}

export interface Closing {
  /** What the session actor ordered; it is told the outcome. */
  carryOut(order: CloseOrder): Promise<void>;
  /** The session actor does not want it closed any more: unless a command does, it is not forced. */
  withdraw(identity: ProcessIdentity): void;
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
  /** The scanner has said what it executes now: the told table has it. */
  seen(identity: ProcessIdentity): void;
  /** Its stop is told: there is no mark any more to take back. */
  ended(identity: ProcessIdentity): void;
  /** Waits for nothing any more. */
  stop(): void;
}

type Mark = Pick<ToldProcess, 'closing' | 'why'>;

/** A process that is being closed, until the closes that were ordered with it have settled too. */
interface UnderWay extends Mark {
  /** As it was when it was looked at last. */
  target: GameProcess;
  /** A command wants it closed: that nobody withdraws. */
  byCommand: boolean;
  /** As CloseTask has it; wanted again, it gets another one. */
  withdrawn: SharedFlag;
}

/** The executor closes a process with what was forked from it (contract K4), even where that was told as its own. */
const isKin = (a: GameProcess, b: GameProcess) =>
  processKey(a) !== processKey(b) && isSameExecution(a, b) && a.user === b.user;

export function createClosing(options: ClosingOptions): Closing {
  const { store, told, config, clock, log } = options;
  /** One close for a process at a time, whoever wants it. */
  const closes = new Map<string, { readonly one: UnderWay; readonly report: Promise<CloseReport> }>();
  /** Closed, and the stop not yet told: the mark stays. */
  const closed = new Set<string>();
  const underWay = new Set<UnderWay>();
  /** Closes that wait for the scanner's word, by process. */
  const listening = new Map<string, () => void>();
  let stopped = false;
  const kinUnderWay = (process: GameProcess) => [...underWay].find(({ target }) => isKin(target, process));

  async function closeAll(
    rows: readonly ToldProcess[],
    how: ToldProcess['closing'],
    why?: Explanation,
  ): Promise<readonly CloseReport[]> {
    const isNew = ({ process }: ToldProcess) => !closes.has(processKey(process));
    const byCommand = how === 'command';
    const ordered = rows.filter(isNew).map(({ process: target }): UnderWay => {
      return { target, closing: how, ...(why && { why }), byCommand, withdrawn: sharedFlag() };
    });
    store.commit(() => {
      for (const one of ordered) mark(one);
    });
    for (const one of ordered) {
      underWay.add(one);
      closes.set(processKey(one.target), { one, report: closeOne(one) });
    }
    const all = rows.flatMap(({ process }) => closes.get(processKey(process)) ?? []);
    for (const { one } of all) {
      one.byCommand ||= byCommand;
      if (isRaised(one.withdrawn)) one.withdrawn = sharedFlag();
    }
    const reports = Promise.all(all.map(({ report }) => report));
    return reports.finally(() => {
      for (const one of ordered) underWay.delete(one);
    });
  }

  /** One that is marked already was closed by another order, and waits to be told as gone. */
  function mark({ target, closing, why }: UnderWay): void {
    if (!told.get(target)?.closing) told.markClosing(target, closing, why);
  }

  async function closeOne(one: UnderWay): Promise<CloseReport> {
    const report = await follow(one).finally(() => closes.delete(processKey(one.target)));
    if (report.outcome !== 'closed') takeBack(one.target, report);
    else if (told.get(one.target)) closed.add(processKey(one.target));
    return report;
  }

  /** Closes it as it is, and again as what it has become, as long as that is the game. */
  async function follow(one: UnderWay): Promise<CloseReport> {
    const startedAt = clock.monotonic();
    let askUntil = startedAt + config().enforcement.close_wait_seconds * 1_000;
    for (let time = 1; ; time += 1) {
      const at = clock.monotonic();
      const waitMs = time > PATIENT_WITH ? 0 : Math.max(0, askUntil - at);
      const { pid, startKey, name, path, command, execution = null } = one.target;
      const target = { pid, startKey, name, path, command, execution };
      const { goesOn, ...last } = await options.close({
        target,
        waitMs,
        ownPids: [process.pid],
        withdrawn: one.withdrawn,
      });
      const report = since(last, at - startedAt);
      if (last.withdrawn && !isRaised(one.withdrawn) && !stopped) {
        askUntil = clock.monotonic() + config().enforcement.close_wait_seconds * 1_000;
        time = 0;
        continue;
      }
      if (!goesOn) return report;
      // It was not touched: if it is no game any more, that is its own doing.
      if (report.outcome === 'not_running') takeBack(one.target, report);
      const now = await whatItIs(one.target);
      if (!now) return report;
      const isLate = time >= MOST_FOLLOWED || clock.monotonic() >= askUntil + LONGEST_FOLLOWED_MS;
      if (now === one.target || isLate || stopped) return { ...report, outcome: 'failed', error: UNTOLD };
      one.target = now;
      store.commit(() => mark(one));
    }
  }

  /** As the scanner tells it; null: no game any more. The same: it has not told. */
  async function whatItIs(before: GameProcess): Promise<GameProcess | null> {
    const now = () => told.get(before)?.process ?? null;
    if (now() === before && !stopped) await scannersWord(before);
    return now();
  }

  function scannersWord(identity: ProcessIdentity): Promise<void> {
    const key = processKey(identity);
    return new Promise((resolve) => {
      const cancel = clock.after(SAID_WITHIN_MS, heard);
      function heard(): void {
        cancel();
        listening.delete(key);
        resolve();
      }
      listening.set(key, heard);
    });
  }

  const heard = (identity: ProcessIdentity) => listening.get(processKey(identity))?.();

  function takeBack(target: GameProcess, { outcome }: CloseReport): void {
    if (closed.has(processKey(target))) return;
    // Gone before its turn, with its kin.
    if (outcome === 'not_running' && kinUnderWay(target)) return;
    told.markClosing(target, null);
    const isOpen = (key: string) => !closes.has(key) && !closed.has(key);
    const heirs = told.all().filter(({ process }) => isKin(target, process) && isOpen(processKey(process)));
    for (const { process } of heirs) told.markClosing(process, null);
  }

  return {
    async carryOut(order) {
      const rows = order.targets.flatMap((target) => told.get(target) ?? []);
      log.info({ child: order.child, game: order.game, why: order.why.sentence }, 'closing a game');
      const how = order.cause === 'pause' ? 'pause' : 'limit';
      const reports = await closeAll(rows, how, order.why);
      options.postToSession({ type: 'close.report', ticket: order.ticket, reports });
    },
    withdraw(identity) {
      const one = closes.get(processKey(identity))?.one;
      if (one && !one.byCommand) raise(one.withdrawn);
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
    seen: heard,
    ended(identity) {
      closed.delete(processKey(identity));
      heard(identity);
    },
    stop() {
      stopped = true;
      for (const hear of [...listening.values()]) hear();
    },
  };
}

/** A report of what began so many ms after the order. */
function since(report: CloseReport, ms: number): CloseReport {
  const later = (atMs: number) => Math.round((atMs + ms) * 10) / 10;
  const stages = report.stages?.map(({ stage, at_ms }) => ({ stage, at_ms: later(at_ms) }));
  return { ...report, waited_ms: later(report.waited_ms), ...(stages && { stages }) };
}
