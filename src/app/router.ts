/**
 * The routing between the actors and the log: a message becomes an event, is appended, and goes on to whom it
 * concerns. Each message is one transaction. What is decided here is only who is told; minutes and limits belong
 * to the session actor, processes to the scanner, closing to the executor.
 */
import { profileOf } from '../protocol/accounts.ts';
import type { CloseReport } from '../protocol/commands.ts';
import type { Config, SourceName } from '../protocol/config.ts';
import type { EventBody } from '../protocol/events.ts';
import type {
  CloseTask,
  FromScanner,
  FromSession,
  GameProcess,
  ProcessIdentity,
  ToSession,
} from '../protocol/messages.ts';
import type { Store, ToldProcess } from '../protocol/ports.ts';
import { type AgentClock, isoTime } from './agent-clock.ts';
import { type Closing, createClosing } from './closing.ts';
import { recordOutcome } from './command-outcome.ts';
import { startedEvent, stoppedEvent } from './process-events.ts';
import { processKey } from './process-key.ts';
import { isSelfTest } from './self-test.ts';
import { StopGate } from './stop-gate.ts';
import { ToldProcesses } from './told-processes.ts';

/** Stops kept for a session actor that is down; of more the oldest sessions end where they were last charged. */
const MAX_UNHEARD = 1_000;
/** A scan may fail this often in a row before the agent calls itself degraded. */
const FAILED_SCANS_DEGRADE = 3;

interface UnheardStop {
  readonly row: ToldProcess;
  readonly stop: Extract<ToSession, { type: 'process.stopped' }>;
}

export interface RouterOptions {
  readonly store: Store;
  readonly clock: AgentClock;
  readonly config: () => Config;
  readonly postToSession: (message: ToSession) => void;
  readonly close: (task: CloseTask) => Promise<CloseReport>;
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

export interface Router {
  fromScanner(message: FromScanner): void;
  fromSession(message: FromSession): void;
  /** Tells a fresh session actor all that runs, and what ended while there was none to hear it. */
  greetSession(): void;
  /** The configuration is another one: what runs for another child now is told as stopped, for the one it was told as. */
  releaseMoved(): void;
  /** The session actor knows the new configuration too: what was released is told as started, for whom it is. */
  takeMoved(): void;
  /** Tells what still waits for the session actor; afterwards nothing comes of its own. */
  stop(): void;
  readonly closeGames: Closing['closeGames'];
  /** What detection is like now: the source in use, and why it is degraded if it is. */
  detection(): { readonly source: SourceName | null; readonly trouble: string | null };
  /** Appends events of the agent's own. */
  tell(...events: EventBody[]): void;
}

export function createRouter(options: RouterOptions): Router {
  const { store, clock, config } = options;
  const told = new ToldProcesses(store.told);
  const gate = new StopGate(clock);
  const closing = createClosing({ ...options, told });
  let source: SourceName | null = null;
  /** What the configuration asks for; with `auto` what worked first. Working with another one is a degradation. */
  let best: SourceName | null = null;
  /** What the configuration said when the source was last settled. */
  let configured = config().detection.source;
  let fallback: string | null = null;
  let blind: string | null = null;
  /** Until the first snapshot nobody knows what runs; a session actor is greeted after it. */
  let scanned = false;
  /** Stops that the session actor has not said it took in. */
  const unheard = new Map<string, UnheardStop>();
  /** When what still waits to be told as stopped ended. */
  const ending = new Map<string, number | null>();
  /** What was told as stopped since it is another child's now, and still runs. */
  const released = new Map<string, ToldProcess>();

  const atWall = (awakeMs: number) => isoTime(clock.wall() - (clock.monotonic() - awakeMs));

  function newlyTold(process: GameProcess, found: boolean): ToldProcess {
    const child = isSelfTest(process) ? null : profileOf(config().profiles, process.user);
    return { process, child, startedAt: atWall(process.startedAwakeMs), found, closing: null };
  }

  function started(process: GameProcess, found: boolean): void {
    const known = told.get(process);
    const row = known ?? { ...newlyTold(process, found), ...closing.markOf(process) };
    if (!known) tellStart(row);
    postStart(row, found);
    if (isSelfTest(process)) void closing.closeAll([row], 'command');
  }

  function postStart({ process, child }: ToldProcess, found: boolean): void {
    options.postToSession({ type: 'process.started', process, child, found });
  }

  function tellStart(row: ToldProcess): void {
    gate.expect(row.process);
    store.commit(() => {
      store.log.append([startedEvent(row, config().games)]);
      told.put(row);
    });
  }

  function stopped({ identity, endedAwakeMs }: Extract<FromScanner, { type: 'process.stopped' }>): void {
    released.delete(processKey(identity));
    ending.set(processKey(identity), endedAwakeMs);
    gate.whenTaken(identity, () => tellStop(identity, endedAwakeMs));
  }

  function tellStop(identity: ProcessIdentity, endedAwakeMs: number | null): void {
    ending.delete(processKey(identity));
    const row = told.get(identity);
    if (!row) return;
    store.commit(() => {
      store.log.append([
        stoppedEvent(row, endedAwakeMs === null ? null : atWall(endedAwakeMs), config().games),
      ]);
      told.remove(identity);
    });
    closing.ended(identity);
    const by = row.closing ? { by: row.closing } : {};
    const stop = { type: 'process.stopped', identity, endedAwakeMs, ...by } as const;
    unheard.set(processKey(identity), { row, stop });
    for (const oldest of unheard.keys()) {
      if (unheard.size <= MAX_UNHEARD) break;
      unheard.delete(oldest);
    }
    options.postToSession(stop);
  }

  /** Nothing to tell, but a close must know what the process looks like now. */
  function changed(process: GameProcess): void {
    const row = told.get(process);
    if (row) store.commit(() => told.put({ ...row, process }));
  }

  /** Whether it is told as another child's, or as another game, than it is under the configuration in force. */
  function isMoved(row: ToldProcess, process: GameProcess): boolean {
    return row.process.game !== process.game || row.child !== newlyTold(process, true).child;
  }

  /** The process of another child or game from now on: nothing before is charged to it. */
  const movedNow = (process: GameProcess): GameProcess => ({
    ...process,
    startedAwakeMs: clock.monotonic(),
  });

  /** A scanner that just started says all that runs: what differs from what was told is told now. */
  function reconcile(running: readonly GameProcess[]): void {
    const present = new Set<string>();
    const renewed: ToldProcess[] = [];
    const fresh: ToldProcess[] = [];
    for (const process of running) {
      const row = told.get(process);
      if (row && !isMoved(row, process)) {
        present.add(processKey(process));
        renewed.push(renewedRow(row, process));
      } else {
        fresh.push(
          row
            ? { ...newlyTold(movedNow(process), true), startedAt: row.startedAt }
            : newlyTold(process, true),
        );
      }
    }
    const gone = told.all().filter((row) => !present.has(processKey(row.process)));
    store.commit(() => {
      const games = config().games;
      store.log.append([
        ...gone.map((row) => stoppedEvent(row, null, games)),
        ...fresh.map((row) => startedEvent(row, games)),
      ]);
      for (const row of gone) told.remove(row.process);
      for (const row of renewed) told.put(row);
      for (const row of fresh) {
        told.put(row);
        gate.expect(row.process);
      }
    });
    scanned = true;
    // What a reload was about to take is in it, or gone.
    released.clear();
    tellRunning();
  }

  /** What runs may have another command line than was told: a close must know it. */
  function renewedRow(row: ToldProcess, process: GameProcess): ToldProcess {
    const now = { ...row, process: { ...process, startedAwakeMs: row.process.startedAwakeMs } };
    if (scanned) return now;
    // A close went with the run that ordered it; what is still wanted is ordered again, and marked again.
    const { why: _, ...rest } = now;
    return { ...rest, closing: null };
  }

  function releaseMoved(): void {
    for (const row of told.all()) {
      if (!isMoved(row, row.process)) continue;
      released.set(processKey(row.process), row);
      gate.whenTaken(row.process, () => tellStop(row.process, clock.monotonic()));
    }
  }

  function takeMoved(): void {
    for (const { process, startedAt } of released.values()) {
      gate.inTurn(process, () => {
        const row = { ...newlyTold(movedNow(process), true), startedAt };
        tellStart(row);
        postStart(row, true);
      });
    }
    released.clear();
    tellRunning();
  }

  /** First the stops that the last actor did not take in: each at its own moment, of plays it knew or did not know of. */
  function greetSession(): void {
    for (const { row, stop } of unheard.values()) {
      const { process, child } = row;
      const { endedAwakeMs, by } = stop;
      options.postToSession({ type: 'process.played', process, child, endedAwakeMs, ...(by && { by }) });
    }
    const runs: ToldProcess[] = [];
    for (const row of told.all()) {
      const { process, child } = row;
      const endedAwakeMs = ending.get(processKey(process));
      if (endedAwakeMs === undefined) runs.push(row);
      else options.postToSession({ type: 'process.played', process, child, endedAwakeMs });
    }
    tellRunning(runs);
  }

  function tellRunning(rows = told.all()): void {
    if (!scanned) return;
    const processes = rows.map(({ process, child }) => ({ process, child }));
    options.postToSession({ type: 'processes.snapshot', processes });
  }

  function scanFailed(reason: string, failures: number): void {
    options.log.warn({ reason, failures }, 'a scan of the processes failed');
    if (failures === 1) options.postToSession({ type: 'scan.unknown' });
    if (failures >= FAILED_SCANS_DEGRADE)
      blind = `${failures} scans of the processes failed in a row: ${reason}`;
  }

  function scanWorks(): void {
    options.postToSession({ type: 'scan.known' });
    blind = null;
  }

  function sourceSettled(next: SourceName, reason?: string): void {
    const { source: wanted } = config().detection;
    if (wanted !== 'auto') best = wanted;
    else if (wanted !== configured) best = next;
    best ??= next;
    configured = wanted;
    fallback =
      next === best
        ? null
        : `Detection uses ${next} in the place of ${best}: ${reason ?? 'that did not start'}`;
    if (fallback) options.log.warn({ source: next, reason }, fallback);
    else options.log.info({ source: next, before: source, reason }, 'detection has its source');
    source = next;
  }

  function fromSession(message: FromSession): void {
    clock.setBias(message.trustedBiasMs);
    try {
      store.commit(() => {
        store.log.append(message.events);
        store.ledger.apply(message.ledger);
        if (message.command) {
          const { commandId, result } = message.command;
          recordOutcome(store, commandId, { status: 'success', result });
        }
      });
      for (const identity of message.stopped) unheard.delete(processKey(identity));
      gate.taken(message.started);
    } finally {
      // Enforcement never waits for the disk (contract D10): a game is closed even when that cannot be written.
      for (const order of message.closes) void closing.carryOut(order);
    }
  }

  function tell(...events: EventBody[]): void {
    store.log.append(events);
  }

  return {
    fromScanner(message) {
      switch (message.type) {
        case 'process.started':
          return gate.inTurn(message.process, () => started(message.process, message.found));
        case 'process.stopped':
          return stopped(message);
        case 'process.changed':
          return gate.inTurn(message.process, () => changed(message.process));
        case 'processes.snapshot':
          // A fresh scanner: it sees, and says nothing of what the one before it did not.
          blind = null;
          sourceSettled(message.source, message.reason);
          return reconcile(message.processes);
        case 'scan.unknown':
          return scanFailed(message.reason, message.failures);
        case 'scan.known':
          return scanWorks();
        case 'source.changed':
          return sourceSettled(message.source, message.reason);
        default:
          return assertNever(message);
      }
    },
    fromSession,
    greetSession,
    releaseMoved,
    takeMoved,
    stop: () => gate.stop(),
    closeGames: closing.closeGames,
    detection: () => ({ source, trouble: blind ?? fallback }),
    tell,
  };
}

/** An `agent_event`: one sentence for a person, and numbers. */
export function agentEvent(
  event_type: Extract<EventBody, { type: 'agent_event' }>['event_type'],
  message: string,
  numbers: Readonly<Record<string, unknown>> = {},
): EventBody {
  return { type: 'agent_event', event_type, data: { message, ...numbers } };
}

function assertNever(value: never): never {
  throw new Error(`unexpected message ${JSON.stringify(value)}`);
}
