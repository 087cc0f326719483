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
import { type FileMark, fileMark, type StorePaths, syncDir } from './files.ts';
import { type HighWater, HighWaterFile } from './high-water.ts';
import { writeIdentity } from './identity.ts';
import { GENERATION } from './inspect.ts';
import { openLedger } from './ledger.ts';
import { openMeta } from './meta.ts';
import type { Prepared } from './prepare.ts';
import { FINDINGS } from './rebuild.ts';
import { Records } from './records.ts';
import { Reserve } from './reserve.ts';
import { Pruner, type Retention } from './retention.ts';
import { CLIENTS, COMMANDS, META, SESSIONS, STATE, SYNC, TOLD, toSeq, USAGE } from './schema.ts';
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
  readonly #highWater: HighWaterFile;
  readonly #checkpointer: Checkpointer;
  #durability: Durability | null = null;
  #generation: number;
  /** What the running fsync covers. */
  #covering: Position;
  /** The main file as the last checkpoint left it; null: it is not known, or just being changed. */
  #mark: Prepared['mark'];
  /** Where the log stood when the running checkpoint began. */
  #checkpointFrom: Position = { epoch: '', offset: 0 };
  #findingsStand = false;
  #damageTold = false;
  #closed: Promise<void> | null = null;
  readonly #onExit = (): void => {
    try {
      this.#forgetMarks();
    } catch {
      // The disk refuses; an exit must not fail for it.
    }
  };

  constructor(prepared: Prepared, wiring: StoreWiring) {
    const { db, sealer } = prepared;
    const { clock, paths, reserveBytes: bytes } = wiring;
    this.#wiring = wiring;
    this.#db = db;
    this.#mark = prepared.mark;
    const epochs = openEpochs(db, sealer);
    this.log = new SqliteEventLog(db, clock, sealer, epochs, (at) => this.#eventLost(at));
    this.#reserve = new Reserve({ clock, db, walPath: paths.wal, filePath: paths.reserve, bytes });
    this.#writer = new Writer(db, clock, this.log, {
      opening: () => this.#highWater.unsettle(),
      committed: (writes) => {
        this.#durability?.touch();
        this.#checkpointer.wrote(writes);
      },
      appended: () => this.#appended(),
      regrow: () => this.#reserve.grow(),
      hasRoom: () => this.#reserve.hasRoom(),
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
    this.#highWater = new HighWaterFile(paths.highWater, sealer);
    this.#checkpointer = new Checkpointer({
      clock,
      dbPath: paths.db,
      starting: () => this.#checkpointStarting(),
      finish: () => this.#checkpointNow(),
      done: (complete) => this.#checkpointDone(complete),
    });

    const table = (t: typeof META) => new Records(db, this.#writer, sealer, t);
    const sessions = table(SESSIONS);
    this.meta = openMeta(table(META));
    const run = this.#lastRun();
    this.#generation = Number(this.meta.get(GENERATION) ?? 0);
    this.#covering = this.log.latest();
    this.findings = JSON.parse(this.meta.get(FINDINGS) ?? '[]') as AgentEvent[];
    this.#findingsStand = this.findings.length > 0;
    this.commit(() => this.#beginRun(prepared, run));
    this.clients = openClients(table(CLIENTS), {
      clock,
      compare: (a, b) => this.log.compare(a, b),
      oldest: () => this.log.oldest(),
      changed: () => this.#durability?.touch(),
      sentAtMost: run?.clean ? null : this.log.latest(),
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
    const reason = this.#writer.blocked ?? this.#durability?.error?.message ?? damage;
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

  #lastRun(): { readonly bootId: string; readonly clean: boolean } | null {
    return JSON.parse(this.meta.get(RUN) ?? 'null');
  }

  /** The clean-stop mark goes before any event is sent: what follows is not clean until it ends so. */
  #beginRun({ state, identity }: Prepared, last: { bootId: string; clean: boolean } | null): void {
    const { bootId } = this.#wiring;
    const sameBoot = last?.bootId === bootId;
    if (state === 'whole' && !last?.clean && !sameBoot) this.log.beginEpoch('unclean_boot', null);
    this.meta.set(RUN, JSON.stringify({ bootId, clean: false }));
    this.meta.set(GENERATION, String(++this.#generation));
    if (this.meta.get(AGENT_ID) === null) this.meta.set(AGENT_ID, identity.agentId);
  }

  /** From now on a missing database is a deleted one, so all of it has to be on the disk, names included. */
  #establish({ identity }: Prepared): void {
    const { paths } = this.#wiring;
    const agentId = this.meta.get(AGENT_ID) ?? identity.agentId;
    const stands = identity.established && identity.agentId === agentId;
    if (stands && !this.#highWater.isNew) return;
    this.#highWater.sync();
    if (!stands) writeIdentity(paths.identity, { ...identity, agentId, established: true });
    syncDir(paths.dir);
  }

  #startDurability(): void {
    const { blocked } = this.#writer;
    if (blocked !== null) {
      this.#writer.stop();
      throw new UserError(EXIT.disk, `the database ${this.#wiring.paths.db} cannot be used: ${blocked}`);
    }
    this.#covering = this.log.latest();
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
    await this.#checkpointer.stop();
    await this.#durability?.stop();
    try {
      this.#writer.retry();
      this.commit(() => {
        this.clients.flush(true);
        this.meta.set(GENERATION, String(this.#generation + 1));
        this.meta.set(RUN, JSON.stringify({ bootId: this.#wiring.bootId, clean: !this.#db.damaged }));
      });
      const written = this.#writer.blocked === null;
      // The high-water file never says more than the database has: that would look like a rollback.
      if (written) this.#generation++;
      this.#settleForGood(written && !this.#db.damaged);
    } catch (error) {
      if (!isRefused(error) && !isDamageError(error)) throw error;
      throw new UserError(EXIT.disk, `the database could not be closed cleanly: ${(error as Error).message}`);
    } finally {
      this.#writer.stop();
      process.off('exit', this.#onExit);
      this.#durability?.close();
      this.#highWater.close();
      this.#db.close();
    }
  }

  /** The last state of this run, on the disk; `clean`: all of it could be written, to a whole database. */
  #settleForGood(clean: boolean): void {
    this.#covering = this.log.latest();
    this.#mainFileChanges();
    const complete = this.#checkpointNow();
    this.#durability?.syncNow();
    if (complete) this.#mark = this.#markNow(this.#covering);
    // SQLite removes the log when the process ends, so there is no mark of it to keep.
    this.#highWater.write(this.#highWaterNow(clean, null), clean);
    this.#highWater.sync();
  }

  // ── durability and checkpoints ─────────────────────────────────────────────────────────────────────────────

  #beforeSync(): void {
    this.commit(() => {
      this.clients.flush(false);
      this.meta.set(GENERATION, String(this.#generation + 1));
    });
    if (this.#writer.blocked !== null) throw new Error(this.#writer.blocked);
    this.#generation++;
    this.#covering = this.log.latest();
  }

  #synced(settled: boolean): void {
    const wal = settled ? fileMark(this.#wiring.paths.wal) : null;
    this.#highWater.write(this.#highWaterNow(false, wal), settled);
    const markMissing = this.#mark === null && !this.#db.damaged;
    if (settled) this.#checkpointer.settled(markMissing || this.#reserve.isShort());
  }

  #highWaterNow(clean: boolean, wal: FileMark | null): HighWater {
    const { epoch, offset } = this.#covering;
    const ordinal = this.log.timeline.span(epoch)?.ordinal ?? 0;
    const { bootId } = this.#wiring;
    const { damaged } = this.#db;
    return {
      generation: this.#generation,
      ordinal,
      epoch,
      offset,
      bootId,
      clean,
      db: this.#mark,
      wal,
      damaged,
    };
  }

  #checkpointStarting(): void {
    this.#mainFileChanges();
    if (this.#writer.blocked === null && this.#reserve.isShort()) this.#reserve.grow();
    this.#checkpointFrom = this.log.latest();
  }

  #checkpointDone(complete: boolean): void {
    this.#mark = complete ? this.#markNow(this.#checkpointFrom) : null;
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

  /** null: the next start has to look at all of it. */
  #markNow({ epoch, offset }: Position): Prepared['mark'] {
    if (this.#db.damaged) return null;
    const file = fileMark(this.#wiring.paths.db);
    const ordinal = this.log.timeline.span(epoch)?.ordinal;
    return file && ordinal !== undefined ? { ...file, seq: toSeq(ordinal, offset) } : null;
  }

  /** From here on the main file is not as the last mark says. */
  #mainFileChanges(): void {
    this.#mark = null;
    this.#forgetMarks();
  }

  #forgetMarks(): void {
    const { last } = this.#highWater;
    const { damaged } = this.#db;
    if (last) this.#highWater.write({ ...last, db: null, wal: null, damaged }, false);
  }

  /** At once, for this run may not live to say so at its end: the next start believes nothing of the main file. */
  #damageFound(): void {
    try {
      this.#mainFileChanges();
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
      this.#mainFileChanges();
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

function lossEvent(
  event_type: 'events_lost' | 'tamper_suspected',
  message: string,
  numbers: Readonly<Record<string, unknown>>,
): AgentEvent {
  return { type: 'agent_event', event_type, data: { message, ...numbers } };
}
