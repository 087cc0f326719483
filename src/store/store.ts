/** The store at work: its parts over one connection, and what each has to know of the others. */
import type { AgentEvent, EventBody } from '../protocol/events.ts';
import { EXIT, UserError } from '../protocol/exit-codes.ts';
import type { Clock, Store, StoreHealth } from '../protocol/ports.ts';
import type { LogEntry, Position } from '../protocol/position.ts';
import { Checkpointer, isComplete } from './checkpoint.ts';
import { type Clients, openClients } from './clients.ts';
import { openCommands } from './commands.ts';
import { type Connection, isDamageError, isRefused } from './connection.ts';
import { Durability } from './durability.ts';
import { openEpochs } from './epochs.ts';
import { type NewEvent, SqliteEventLog } from './event-log.ts';
import { type StorePaths, syncDir } from './files.ts';
import { lossAtStop, lossEvent } from './findings.ts';
import { writeIdentity } from './identity.ts';
import { GENERATION } from './inspect.ts';
import { openLedger } from './ledger.ts';
import { openMeta } from './meta.ts';
import { watchOpenFiles } from './open-files.ts';
import type { Prepared } from './prepare.ts';
import { FINDINGS } from './rebuild.ts';
import { Records } from './records.ts';
import { Reserve } from './reserve.ts';
import { Pruner, type Retention } from './retention.ts';
import { CLIENTS, COMMANDS, META, SESSIONS, STATE, SYNC, TOLD, USAGE } from './schema.ts';
import { Standing } from './standing.ts';
import { openSync } from './sync.ts';
import { openTold } from './told.ts';
import { Trimmer } from './trimmer.ts';
import { Writer } from './writer.ts';

const DAMAGED = 'The database is damaged; it is kept aside and rebuilt at the next start of the agent.';
const RUN = 'run';
const AGENT_ID = 'agent_id';

export interface StoreWiring {
  readonly paths: StorePaths;
  readonly clock: Clock;
  readonly bootId: string;
  readonly reserveBytes: number;
}

interface LastRun {
  readonly bootId: string;
  readonly clean: boolean;
}

export class SqliteStore implements Store {
  readonly log: SqliteEventLog;
  readonly clients: Clients;
  readonly ledger: Store['ledger'];
  readonly sync: Store['sync'];
  readonly commands: Store['commands'];
  readonly told: Store['told'];
  readonly meta: Store['meta'];
  readonly findings: readonly EventBody[];

  readonly #wiring: StoreWiring;
  readonly #db: Connection;
  readonly #writer: Writer<NewEvent, LogEntry>;
  readonly #trimmer: Trimmer;
  readonly #reserve: Reserve;
  readonly #standing: Standing;
  readonly #checkpointer: Checkpointer;
  readonly #files: ReturnType<typeof watchOpenFiles>;
  #durability: Durability | null = null;
  /** Where the log stood when the running checkpoint began. */
  #checkpointFrom: Position = { epoch: '', offset: 0 };
  #findingsStand = false;
  #damageTold = false;
  #closed: Promise<void> | null = null;
  readonly #onExit = (): void => {
    try {
      this.#standing.forgetMarks();
    } catch {
      // The disk refuses; an exit must not fail for it.
    }
  };

  constructor(prepared: Prepared, wiring: StoreWiring) {
    const { db, sealer } = prepared;
    const { clock, paths, reserveBytes: bytes } = wiring;
    this.#wiring = wiring;
    this.#db = db;
    const epochs = openEpochs(db, sealer);
    this.log = new SqliteEventLog(db, clock, sealer, epochs, (at) => this.#eventLost(at));
    this.#reserve = new Reserve({ clock, db, walPath: paths.wal, filePath: paths.reserve, bytes });
    this.#writer = new Writer(db, clock, this.log, {
      opening: () => this.#standing.file.unsettle(),
      committed: (writes) => {
        this.#durability?.touch();
        this.#checkpointer.wrote(writes);
      },
      appended: () => this.#appended(),
      regrow: () => this.#reserve.grow(),
      hasRoom: () => this.#reserve.hasRoom(),
      // Whoever may ask could fill the ledger's last pages with kept answers.
      leavesRoom: (key) => key.startsWith(`${COMMANDS.name}\0`),
      eventsWait: (waiting) => this.#standing.eventsWait(waiting ? this.log.latest().epoch : null),
      makeRoom: [
        () => this.#useReserve(),
        () => this.#trimmer.dropAcknowledged(),
        () => this.#reserve.growLittle(),
      ],
      recovered: (lost) => this.#recovered(lost),
    });
    this.log.attach(this.#writer);
    const { timeline } = this.log;
    this.#trimmer = new Trimmer({
      clock,
      timeline,
      pruner: new Pruner(db, timeline, epochs),
      clients: () => this.clients,
      aside: (work) => this.#writer.aside(work),
    });
    this.#standing = new Standing({ paths, bootId: wiring.bootId, timeline, prepared });
    this.#checkpointer = new Checkpointer({
      clock,
      dbPath: paths.db,
      walBytes: () => this.#durability?.walBytes ?? 0,
      starting: () => this.#checkpointStarting(),
      finish: () => this.#checkpointNow(),
      done: (complete) => this.#checkpointDone(complete),
    });

    const table = (t: typeof META) => new Records(db, this.#writer, sealer, t);
    const sessions = table(SESSIONS);
    this.meta = openMeta(table(META));
    const run = this.#lastRun();
    this.#standing.generation = Number(this.meta.get(GENERATION) ?? 0);
    const unwritten = this.#unwritten(prepared);
    this.findings = [
      ...(JSON.parse(this.meta.get(FINDINGS) ?? '[]') as AgentEvent[]),
      ...lossAtStop(unwritten),
    ];
    this.#findingsStand = this.findings.length > 0;
    this.commit(() => this.#beginRun(prepared, run, unwritten));
    this.clients = openClients(table(CLIENTS), {
      clock,
      compare: (a, b) => this.log.compare(a, b),
      oldest: () => this.log.oldest(),
      changed: () => this.#durability?.touch(),
      // After damage the mark may be an older one.
      sentAtMost: prepared.state === 'whole' && run?.clean ? null : this.log.latest(),
      sentToStrangers: () => timeline.lastDamage(),
    });
    this.ledger = openLedger(clock, (fn) => this.commit(fn), {
      usage: table(USAGE),
      sessions,
      state: table(STATE),
    });
    this.sync = openSync(table(SYNC), sessions);
    this.commands = openCommands(table(COMMANDS));
    this.told = openTold(table(TOLD));
    this.#startDurability();
    this.#establish(prepared);
    this.#files = watchOpenFiles(paths);
    db.onDamage(() => this.#damageFound());
    process.once('exit', this.#onExit);
  }

  commit<T>(fn: () => T): T {
    return this.#writer.commit(fn);
  }

  durable(): Promise<void> {
    if (this.#writer.blocked !== null) return Promise.reject(new Error(this.#writer.blocked));
    return this.#durability?.durable() ?? Promise.resolve();
  }

  health(): StoreHealth {
    const damage = this.#db.damaged ? DAMAGED : null;
    const failure = this.#writer.blocked ?? this.#durability?.error?.message ?? damage;
    // First: what else fails then fails for it.
    const reason = this.#files.replaced() ?? failure;
    return {
      ok: reason === null,
      unsynced: this.#durability?.unsynced ?? 0,
      waiting: this.#writer.waitingEvents,
      lastSyncMonotonicMs: this.#durability?.lastSyncMs ?? null,
      unsyncedSinceMonotonicMs: this.#durability?.unsyncedSinceMs ?? null,
      reason,
    };
  }

  prune(retention: Retention): void {
    this.#trimmer.prune(retention);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  // ── start and end ──────────────────────────────────────────────────────────────────────────────────────────

  #lastRun(): LastRun | null {
    return JSON.parse(this.meta.get(RUN) ?? 'null');
  }

  /** Events that the last run could not write before its end and that no epoch has told of yet; null: some, uncounted. */
  #unwritten({ unwritten }: Prepared): number | null {
    return unwritten?.epoch === this.log.latest().epoch ? unwritten.lost : 0;
  }

  /** The clean-stop mark goes before any event is sent: what follows is not clean until it ends so. */
  #beginRun({ state, identity }: Prepared, last: LastRun | null, unwritten: number | null): void {
    const { bootId } = this.#wiring;
    const sameBoot = last?.bootId === bootId;
    if (unwritten !== 0) {
      // All else was on the disk when this was noted, so there is nothing more to tell of an unclean end.
      this.log.beginEpoch('disk_full', unwritten);
      this.meta.set(FINDINGS, JSON.stringify(this.findings));
    } else if (state === 'whole' && !last?.clean && !sameBoot) this.log.beginEpoch('unclean_boot', null);
    this.meta.set(RUN, JSON.stringify({ bootId, clean: false }));
    this.meta.set(GENERATION, String(++this.#standing.generation));
    if (this.meta.get(AGENT_ID) === null) this.meta.set(AGENT_ID, identity.agentId);
  }

  /** From now on a missing database is a deleted one, so all of it has to be on the disk, names included. */
  #establish({ identity }: Prepared): void {
    const { paths } = this.#wiring;
    const agentId = this.meta.get(AGENT_ID) ?? identity.agentId;
    const stands = identity.established && identity.agentId === agentId;
    if (stands && !this.#standing.file.isNew) return;
    this.#standing.file.syncNow();
    if (!stands) writeIdentity(paths.identity, { ...identity, agentId, established: true });
    syncDir(paths.dir);
  }

  #startDurability(): void {
    const { blocked } = this.#writer;
    if (blocked !== null) {
      this.#writer.stop();
      throw new UserError(EXIT.disk, `the database ${this.#wiring.paths.db} cannot be used: ${blocked}`);
    }
    this.#standing.covering = this.log.latest();
    this.#durability = new Durability({
      clock: this.#wiring.clock,
      walPath: this.#wiring.paths.wal,
      prepare: () => this.#beforeSync(),
      covered: (settled) => this.#synced(settled),
      repair: () => this.#checkpointer.repair(),
    });
    this.#durability.syncNow();
    this.#synced(true);
  }

  async #close(): Promise<void> {
    this.#trimmer.stop();
    // Neither begins anything any more; what they have begun goes on beside the last commit.
    const checkpointed = this.#checkpointer.stop();
    const synced = this.#durability?.stop();
    try {
      this.commit(() => {
        this.clients.flush(true);
        this.meta.set(GENERATION, String(this.#standing.generation + 1));
        this.meta.set(RUN, JSON.stringify({ bootId: this.#wiring.bootId, clean: !this.#db.damaged }));
      });
      // With what waits already: for rows there may be room where there is none for events.
      this.#writer.retry();
      this.#writer.stop();
      const { blocked, unwrittenEvents } = this.#writer;
      // A slow disk is waited for on other threads: the deadline of a stop is a timer on this one.
      await checkpointed;
      this.#standing.mainFileChanges();
      const complete = await this.#checkpointer.last();
      await synced;
      await this.#durability?.last(complete);
      // The high-water file never says more than the database has: that would look like a rollback.
      if (blocked === null) this.#standing.generation++;
      this.#standing.covering = this.log.latest();
      if (complete) this.#standing.checkpointed(this.#standing.covering);
      await this.#standing.forGood(blocked === null && !this.#db.damaged, unwrittenEvents);
      const reason = this.#files.replaced() ?? blocked;
      if (reason !== null) throw this.#notClosed(reason);
    } catch (error) {
      throw isRefused(error) || isDamageError(error) ? this.#notClosed((error as Error).message) : error;
    } finally {
      process.off('exit', this.#onExit);
      await Promise.all([checkpointed, synced]);
      this.#durability?.close();
      await this.#checkpointer.close();
      this.#standing.file.close();
      this.#db.close();
    }
  }

  #notClosed(reason: string): UserError {
    const lost = this.#writer.unwrittenEvents;
    const events = lost > 0 ? `; ${lost} events that waited for it are lost` : '';
    return new UserError(EXIT.disk, `the database could not be closed cleanly: ${reason}${events}`);
  }

  // ── durability and checkpoints ─────────────────────────────────────────────────────────────────────────────

  #beforeSync(): void {
    this.commit(() => {
      this.clients.flush(false);
      this.meta.set(GENERATION, String(this.#standing.generation + 1));
    });
    if (this.#writer.blocked !== null) throw new Error(this.#writer.blocked);
    this.#standing.generation++;
    this.#standing.covering = this.log.latest();
  }

  #synced(settled: boolean): void {
    this.#standing.synced(settled);
    this.#checkpointer.grown();
    if (settled) this.#checkpointer.settled(this.#standing.wantsMark || this.#reserve.isShort());
  }

  #checkpointStarting(): void {
    this.#standing.mainFileChanges();
    if (this.#writer.blocked === null && this.#reserve.isShort()) this.#reserve.grow();
    this.#checkpointFrom = this.log.latest();
  }

  #checkpointDone(complete: boolean): void {
    this.#standing.checkpointed(complete ? this.#checkpointFrom : null);
    // The next commit starts the log anew and waits for the disk: better this one than an event's.
    this.#durability?.touch();
    void this.#durability?.durable().catch(() => {});
  }

  #checkpointNow(): boolean {
    try {
      return isComplete(this.#db.prepare('PRAGMA wal_checkpoint(PASSIVE)').all([])[0]);
    } catch (error) {
      if (!isRefused(error)) throw error;
      return false;
    }
  }

  /** At once, for this run may not live to say so at its end: the next start believes nothing of the main file. */
  #damageFound(): void {
    try {
      this.#standing.mainFileChanges();
    } catch (error) {
      if (!isRefused(error)) throw error;
    }
    this.#tellDamage(DAMAGED, {});
  }

  // ── a full disk ────────────────────────────────────────────────────────────────────────────────────────────

  /** The log starts anew after a checkpoint, in the room it has; the reserve file's space is for either. */
  #useReserve(): boolean {
    this.#reserve.release();
    try {
      this.#standing.mainFileChanges();
    } catch (error) {
      if (!isRefused(error)) throw error;
      // Not even that can be noted, so the main file is left as it is.
      return true;
    }
    this.#checkpointNow();
    return true;
  }

  #recovered(lost: number): void {
    if (lost === 0) return;
    this.commit(() => {
      this.log.beginEpoch('disk_full', lost);
      this.log.append([
        lossEvent('events_lost', `${lost} events were lost while the disk was full.`, { lost }),
      ]);
    });
  }

  // ── what others are told ───────────────────────────────────────────────────────────────────────────────────

  #appended(): void {
    if (this.#findingsStand) {
      // Whoever appended has told the findings before anything else, or tells them now for the second time.
      this.#findingsStand = false;
      this.meta.set(FINDINGS, '[]');
    }
    this.log.announce();
  }

  #eventLost(at: Position): void {
    const message = `An event of the log (${at.epoch}, ${at.offset}) is not as it was written any more.`;
    this.#tellDamage(message, { ...at });
  }

  #tellDamage(message: string, numbers: Readonly<Record<string, unknown>>): void {
    if (this.#damageTold || this.#closed) return;
    this.#damageTold = true;
    queueMicrotask(() => this.log.append([lossEvent('tamper_suspected', message, numbers)]));
  }
}
