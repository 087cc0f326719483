/**
 * The routing between the actors and the log: a message becomes an event, is appended, and goes on to whom it
 * concerns. Each message is one transaction. What is decided here is only who is told; minutes and limits belong
 * to the session actor, processes to the scanner, closing to the executor.
 */
import { profileOf } from '../protocol/accounts.ts';
import type { Config } from '../protocol/config.ts';
import type { EventBody } from '../protocol/events.ts';
import type {
  CloseResult,
  CloseTask,
  FromScanner,
  FromSession,
  GameProcess,
  ProcessIdentity,
  ToSession,
} from '../protocol/messages.ts';
import type { EndedProcess, Store, ToldProcess } from '../protocol/ports.ts';
import { type AgentClock, isoTime } from './agent-clock.ts';
import { type Closing, createClosing } from './closing.ts';
import { recordOutcome } from './command-outcome.ts';
import { type Detection, watchDetection } from './detection.ts';
import type { Presence } from './presence.ts';
import { startedEvent, stoppedEvent } from './process-events.ts';
import { processKey } from './process-key.ts';
import { isSelfTest } from './self-test.ts';
import { StopGate } from './stop-gate.ts';
import { SessionPost } from './to-session.ts';
import { ToldProcesses } from './told-processes.ts';
import { watchTold } from './told-watch.ts';
import { isEnded, UnheardStops, withOlder } from './unheard-stops.ts';

/** `goes on`: as another child's; `config`: as another game, or as none. */
type HowItStops = 'ends' | 'goes on' | 'config';

export interface RouterOptions {
  readonly store: Store;
  readonly clock: AgentClock;
  /** Identifies this boot of the machine. */
  readonly bootId: string;
  readonly config: () => Config;
  readonly postToSession: (message: ToSession) => void;
  readonly close: (task: CloseTask) => Promise<CloseResult>;
  /** Whether a process still runs. */
  readonly presence: (identity: ProcessIdentity) => Presence;
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

export interface Router {
  fromScanner(message: FromScanner): void;
  fromSession(message: FromSession): void;
  /** The scanner is gone: nobody sees what starts and ends until the next one has looked. */
  scannerGone(): void;
  /** Tells a fresh session actor all that runs, and what ended while there was none to hear it. */
  greetSession(): void;
  /** The configuration is another one: what runs for another child now is told as stopped, for the one it was told as. */
  releaseMoved(): void;
  /** The session actor knows the new configuration too: what was released is told as started, for whom it is. */
  takeMoved(): void;
  /** Tells what still waits for the session actor; afterwards nothing comes of its own. */
  stop(): void;
  readonly closeGames: Closing['closeGames'];
  /** What detection is like now. */
  detection(): Detection;
  /** Appends events of the agent's own. */
  tell(...events: EventBody[]): void;
}

export function createRouter(options: RouterOptions): Router {
  const { store, clock, config, bootId } = options;
  const told = new ToldProcesses(store.told);
  const unheard = new UnheardStops(store.told, bootId);
  const gate = new StopGate(clock);
  const session = new SessionPost(options.postToSession);
  const closing = createClosing({ ...options, told });
  const detection = watchDetection(options);
  /** Until the first snapshot nobody knows what runs; a session actor is greeted after it. */
  let scanned = false;
  /** What has ended and still waits to be told as stopped. */
  const ending = new Set<string>();
  /** What a reload has told as stopped, since it is another child's now, and not yet as started. */
  const moving = new Map<string, ToldProcess>();

  // The run before may have ended before the session actor took their starts in.
  for (const row of told.all()) if (row.bootId === bootId) gate.expect(row.process);

  const atWall = (awakeMs: number) => isoTime(clock.wall() - (clock.monotonic() - awakeMs));

  function newlyTold(process: GameProcess, found: boolean): ToldProcess {
    const child = isSelfTest(process) ? null : profileOf(config().profiles, process.user);
    return { process, child, startedAt: atWall(process.startedAwakeMs), found, closing: null, bootId };
  }

  function started(process: GameProcess, found: boolean): void {
    const known = told.get(process);
    const row = known ?? { ...newlyTold(process, found), ...closing.markOf(process) };
    if (!known) tellStart(row);
    session.started(row, found);
    if (isSelfTest(process)) void closing.closeAll([row], 'command');
  }

  /** It goes on as another child's or game's. */
  function takes(row: ToldProcess): void {
    if (told.get(row.process)) return;
    tellStart(row);
    session.started(row, true);
  }

  function tellStart(row: ToldProcess): void {
    gate.expect(row.process);
    store.commit(() => {
      store.log.append([startedEvent(row, config().games)]);
      unheard.makeRoom(row.process);
      told.put(row);
    });
  }

  function stopped(identity: ProcessIdentity, endedAwakeMs: number | null, how: HowItStops = 'ends'): void {
    moving.delete(processKey(identity));
    stops(identity, endedAwakeMs, how);
  }

  /**
   * Told once the start was taken in, and then heard by the session actor, which hears of it in its turn among what other
   * processes do: at once, unless something waits for the same process.
   */
  function stops(identity: ProcessIdentity, endedAwakeMs: number | null, how: HowItStops = 'ends'): void {
    // Of what was told by a run that is over, the session actor may not even know the start.
    const isPlay = !scanned;
    if (gate.isHeld(identity)) {
      gate.whenTaken(identity, () => {
        const ended = end(identity, endedAwakeMs);
        tellStop(identity, ended, how);
        postEnd(ended, isPlay, how);
      });
    } else {
      const ended = end(identity, endedAwakeMs);
      gate.whenTaken(identity, () => tellStop(identity, ended, how));
      postEnd(ended, isPlay, how);
    }
  }

  /** null: it is not told as anything. */
  function end(identity: ProcessIdentity, endedAwakeMs: number | null): EndedProcess | null {
    const row = told.get(identity);
    if (!row) return null;
    ending.add(processKey(identity));
    const ended = { ...row, endedAwakeMs, bootId };
    // What ran in another boot has ended with it, and its moments mean nothing here.
    if (scanned || row.bootId === bootId) unheard.add(ended);
    return ended;
  }

  function tellStop(identity: ProcessIdentity, ended: EndedProcess | null, how: HowItStops): void {
    ending.delete(processKey(identity));
    const row = told.get(identity);
    store.commit(() => {
      if (row && ended) {
        const { endedAwakeMs } = ended;
        const endedAt = endedAwakeMs === null ? null : atWall(endedAwakeMs);
        store.log.append([stoppedEvent(row, endedAt, config().games)]);
      }
      const kept = row && ended && unheard.has(ended);
      if (row && how === 'goes on') told.release(row);
      else if (kept) told.forget(identity);
      else told.remove(identity);
      if (kept) unheard.keep(ended, how !== 'goes on');
    });
    closing.ended(identity);
  }

  function postEnd(ended: EndedProcess | null, isPlay: boolean, how: HowItStops): void {
    if (!ended || !unheard.has(ended)) return;
    const { process, endedAwakeMs, closing } = ended;
    const by = how === 'ends' ? closing : 'config';
    if (isPlay) session.played(ended);
    else session.stopped(process, endedAwakeMs, by);
  }

  /** Nothing to tell, but a close must know what the process looks like now. */
  function changed(process: GameProcess): void {
    const row = told.get(process);
    if (row) store.commit(() => told.put({ ...row, process }));
    closing.seen(process);
  }

  /** Whether it is told as another child's, or as another game, than it is under the configuration in force. */
  function isMoved(row: ToldProcess, process: GameProcess): boolean {
    return row.process.game !== process.game || row.child !== newlyTold(process, true).child;
  }

  /** The process of another child or game from now on: nothing before is charged to it. */
  const movedNow = (process: GameProcess): GameProcess => ({ ...process, startedAwakeMs: clock.monotonic() });

  /** A scanner that just started says all that runs: what differs from what was told is told now. */
  function reconcile(seen: readonly GameProcess[]): void {
    const present = new Set<string>();
    const renewed: ToldProcess[] = [];
    const fresh: ToldProcess[] = [];
    const all = new Set(seen.map(processKey));
    told.keepReleased(all);
    for (const process of seen) {
      const key = processKey(process);
      const row = ending.has(key) ? undefined : told.get(process);
      if (row && !isMoved(row, process)) {
        present.add(key);
        renewed.push(renewedRow(row, process));
      } else {
        const before = told.get(process) ?? told.released(process);
        fresh.push(
          before
            ? { ...newlyTold(movedNow(process), true), startedAt: before.startedAt }
            : newlyTold(process, true),
        );
      }
    }
    store.commit(() => {
      // What runs and waits to be told as stopped goes on as another's; if it is gone, that is told behind it.
      const goesOn = ({ process }: ToldProcess) => {
        const key = processKey(process);
        return present.has(key) || (ending.has(key) && all.has(key));
      };
      const gone = told.all().filter((row) => !goesOn(row));
      for (const row of scanned ? gone : withOlder([...unheard.all(), ...gone], [...renewed, ...fresh])) {
        if (isEnded(row)) session.played(row);
        else if (gone.includes(row)) stops(row.process, null);
        else {
          if (fresh.includes(row)) tellStart(row);
          session.started(row, true);
        }
      }
      for (const row of renewed) {
        told.put(row);
        closing.seen(row.process);
      }
      for (const row of fresh) {
        if (gate.isHeld(row.process)) gate.inTurn(row.process, () => takes(row));
        else if (told.get(row.process) !== row) tellStart(row);
      }
    });
    scanned = true;
    // What a reload was about to take is in it, or gone.
    moving.clear();
    tellRunning();
  }

  /** What runs may have another command line than was told: a close must know it. */
  function renewedRow(row: ToldProcess, process: GameProcess): ToldProcess {
    const now = { ...row, bootId, process: { ...process, startedAwakeMs: row.process.startedAwakeMs } };
    if (scanned) return now;
    // A close went with the run that ordered it; what is still wanted is ordered again, and marked again.
    const { why: _, ...rest } = now;
    return { ...rest, closing: null };
  }

  function releaseMoved(): void {
    const moved = running().filter((row) => isMoved(row, row.process));
    session.together(() => {
      for (const row of moved) {
        moving.set(processKey(row.process), row);
        stops(row.process, clock.monotonic(), 'goes on');
      }
    });
  }

  function takeMoved(): void {
    session.together(() => {
      for (const { process, startedAt } of moving.values()) {
        gate.inTurn(process, () => takes({ ...newlyTold(movedNow(process), true), startedAt }));
      }
    });
    moving.clear();
    tellRunning();
  }

  /** First the stops that the last actor did not take in: each at its own moment, of plays it knew or did not know of. */
  function greetSession(): void {
    // At a start they come with what the first snapshot finds gone, in their order.
    if (!scanned) return;
    session.together(() => {
      for (const row of withOlder(unheard.all(), running())) {
        if (isEnded(row)) session.played(row);
        else session.started(row, true);
      }
    });
    tellRunning();
  }

  const running = () => told.all().filter(({ process }) => !ending.has(processKey(process)));

  function tellRunning(): void {
    if (!scanned) return;
    session.snapshot(running(), clock.monotonic(), detection.looks);
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
        gate.taken(message.started);
        for (const identity of message.stopped) unheard.taken(identity);
      });
    } finally {
      // Enforcement never waits for the disk (contract D10): a game is closed even when that cannot be written.
      for (const identity of message.withdrawn ?? []) closing.withdraw(identity);
      for (const order of message.closes) void closing.carryOut(order);
    }
  }

  function tell(...events: EventBody[]): void {
    store.log.append(events);
  }

  const stopWatch = watchTold({
    clock,
    isNeeded: () => scanned && !detection.looks,
    running,
    presence: options.presence,
    gone: stopped,
  });

  return {
    fromScanner(message) {
      switch (message.type) {
        case 'process.started':
          return gate.inTurn(message.process, () => started(message.process, message.found));
        case 'process.stopped':
          return stopped(
            message.identity,
            message.endedAwakeMs,
            message.how === 'config' ? 'config' : 'ends',
          );
        case 'process.changed':
          return gate.inTurn(message.process, () => changed(message.process));
        case 'processes.snapshot':
          detection.scannerStarted(message.source, message.reason);
          return session.together(() => reconcile(message.processes));
        case 'scan.unknown':
          return detection.scanFailed(message.reason, message.failures);
        case 'scan.known':
          return detection.scanWorks();
        case 'source.changed':
          return detection.sourceSettled(message.source, message.reason);
        default:
          return assertNever(message);
      }
    },
    fromSession,
    scannerGone: detection.scannerGone,
    greetSession,
    releaseMoved,
    takeMoved,
    stop() {
      stopWatch();
      gate.stop();
      closing.stop();
    },
    closeGames: closing.closeGames,
    detection: detection.state,
    tell,
  };
}

function assertNever(value: never): never {
  throw new Error(`unexpected message ${JSON.stringify(value)}`);
}
