/**
 * Every write goes through here: transactions that join, and what becomes of writes that the disk refuses (contract
 * D10). A refused transaction is undone, room is made, and it is done again; when there is no room to make, its writes
 * wait in memory and are tried again every second. Callers never see the disk.
 */
import type { Clock } from '../protocol/ports.ts';
import { Backlog, type KeyedWrite } from './backlog.ts';
import { type Connection, isHeld, isRefused, type Statement } from './connection.ts';

/** What the writer needs of the event log. */
export interface Appender<E, R> {
  /** Inserts one event at the next offset. */
  insert(event: E): R;
  /** The way back to where the log stands now, for a transaction that is undone. */
  mark(): () => void;
}

export interface WriterHooks {
  /** Before a transaction: the files are about to change. */
  readonly opening: () => void;
  /** After a transaction that wrote so many rows. */
  readonly committed: (writes: number) => void;
  /** After a transaction that appended events. */
  readonly appended: () => void;
  /** Steps that make room on a full disk, from the cheapest on; false: nothing came of it. */
  readonly makeRoom: readonly (() => boolean)[];
  /** The disk may have room again: makes up what was used of the reserve; false: it has none. */
  readonly regrow: () => boolean;
  /** Whether the room kept for a full disk lasts for another transaction; true while the disk is not full. */
  readonly hasRoom: () => boolean;
  /** Whether a row leaves the last of that room to others, as events do. */
  readonly leavesRoom: (key: string) => boolean;
  /** Events begin to wait in memory, or none does any more. */
  readonly eventsWait: (waiting: boolean) => void;
  /** The disk works again and all that waited is written; `lost` events are not. */
  readonly recovered: (lost: number) => void;
}

type Operation<E> = KeyedWrite | { readonly event: E };

const RETRY_MS = 1_000;
/** Waiting events are written in portions: a disk with little room takes some of them. */
const PORTION = 100;

export class Writer<E, R> {
  readonly #db: Connection;
  readonly #clock: Clock;
  readonly #log: Appender<E, R>;
  readonly #hooks: WriterHooks;
  readonly #begin: Statement<never>;
  readonly #commit: Statement<never>;
  readonly #backlog = new Backlog<E>();
  #journal: Operation<E>[] = [];
  #inside = false;
  #refusal: Error | null = null;
  #blocked: string | null = null;
  /** It is somebody else's lock that blocks, so making room would cost events and mend nothing. */
  #held = false;
  #eventsWait = false;
  #stopRetry = (): void => {};

  constructor(db: Connection, clock: Clock, log: Appender<E, R>, hooks: WriterHooks) {
    this.#db = db;
    this.#clock = clock;
    this.#log = log;
    this.#hooks = hooks;
    this.#begin = db.prepare('BEGIN IMMEDIATE');
    this.#commit = db.prepare('COMMIT');
  }

  /** Why nothing can be written now; null: it can. */
  get blocked(): string | null {
    return this.#blocked;
  }

  get waitingEvents(): number {
    return this.#backlog.events.length;
  }

  /** Events that are lost if nothing more is written: those that wait and those that found no room to wait. */
  get unwrittenEvents(): number {
    return this.#backlog.events.length + this.#backlog.lost;
  }

  /** Runs `fn` in one transaction; nested calls join. Only what `fn` itself throws comes out. */
  commit<T>(fn: () => T): T {
    if (this.#inside || this.#blocked !== null) return fn();
    if (!this.#hooks.hasRoom() && !this.#hooks.makeRoom.some((step) => step() && this.#hooks.hasRoom())) {
      this.#refusal = null;
      this.#block('the disk is full');
      return fn();
    }
    const { value, done, operations } = this.#transaction(fn);
    if (!done) this.#again(operations);
    return value;
  }

  /** Writes one row now, or when the disk takes it again. `value`: see KeyedWrite. */
  write(key: string, value: unknown, run: () => void): void {
    if (this.#inside) this.#perform({ key, value, run });
    else if (this.#blocked !== null) this.#backlog.addWrite({ key, value, run });
    else this.commit(() => this.write(key, value, run));
  }

  /** Appends events in order; empty when they have to wait. */
  append(events: readonly E[]): R[] {
    if (this.#inside) return events.flatMap((event) => this.#perform({ event }) ?? []);
    if (this.#blocked === null) return this.commit(() => this.append(events));
    for (const event of events) this.#keep(event);
    return [];
  }

  /** A transaction of the store's own housekeeping: nothing of it is kept for later; false when the disk refused it. */
  aside(work: () => void): boolean {
    if (this.#inside) return false;
    const { done } = this.#transaction(() => void this.#attempt(work));
    if (done) this.#hooks.committed(1);
    return done;
  }

  /** A row as it will be when the disk works again; undefined: the database has it. */
  waiting(key: string): KeyedWrite | undefined {
    return this.#backlog.find(key);
  }

  /** The rows that wait, of one table or another: those whose key starts so. */
  waitingLike(prefix: string): readonly KeyedWrite[] {
    return this.#blocked === null ? [] : this.#backlog.writes.filter((w) => w.key.startsWith(prefix));
  }

  /** Tries to write all that waits, now. */
  retry(): void {
    if (this.#blocked === null) return;
    this.#stopRetry();
    this.#refusal = null;
    const { regrow, makeRoom } = this.#hooks;
    for (const step of this.#held ? [() => true] : [regrow, ...makeRoom]) {
      if (step() && this.#drain()) {
        this.#blocked = null;
        const waited = this.#eventsWait;
        this.#hooks.recovered(this.#backlog.takeLost());
        // What is told of the loss may wait in its turn.
        if (waited && this.#blocked === null) this.#noteWaiting(false);
        return;
      }
      if (isHeld(this.#refusal)) break;
    }
    // A new epoch may have begun meanwhile, and the disk may have refused the first note.
    if (this.#eventsWait) this.#noteWaiting(true);
    this.#block(this.#blocked);
  }

  stop(): void {
    this.#stopRetry();
  }

  /** `done`: it is committed; else the disk refused and nothing of `operations` is there. */
  #transaction<T>(work: () => T): { value: T; done: boolean; operations: readonly Operation<E>[] } {
    const rewind = this.#log.mark();
    const operations: Operation<E>[] = [];
    this.#journal = operations;
    this.#refusal = null;
    this.#inside = true;
    try {
      this.#attempt(() => {
        this.#hooks.opening();
        this.#begin.run([]);
      });
      const value = work();
      this.#attempt(() => this.#commit.run([]));
      if (this.#refusal !== null) this.#undo(rewind);
      this.#inside = false;
      const done = this.#refusal === null;
      if (done) this.#tell(operations);
      return { value, done, operations };
    } catch (error) {
      if (this.#inside) this.#undo(rewind);
      throw error;
    }
  }

  #undo(rewind: () => void): void {
    this.#inside = false;
    // After some errors SQLite has rolled back by itself.
    if (this.#db.inTransaction) this.#db.exec('ROLLBACK');
    rewind();
  }

  #tell(operations: readonly Operation<E>[]): void {
    // What was appended is sent first: that is the moment for which somebody waits.
    try {
      if (operations.some((o) => 'event' in o)) this.#hooks.appended();
    } finally {
      if (operations.length > 0) this.#hooks.committed(operations.length);
    }
  }

  /** Notes it, and does it unless this transaction was refused already. */
  #perform(operation: Operation<E>): R | undefined {
    this.#journal.push(operation);
    return this.#attempt(() =>
      'event' in operation ? this.#log.insert(operation.event) : void operation.run(),
    );
  }

  #attempt<T>(run: () => T): T | undefined {
    if (this.#refusal !== null) return undefined;
    try {
      return run();
    } catch (error) {
      if (!isRefused(error)) throw error;
      this.#refusal = error as Error;
      return undefined;
    }
  }

  #again(operations: readonly Operation<E>[]): void {
    const reason = this.#refusal?.message ?? 'the disk refuses';
    const redo = () => {
      for (const operation of operations) this.#perform(operation);
    };
    for (const step of isHeld(this.#refusal) ? [] : this.#hooks.makeRoom) {
      if (step() && this.#hooks.hasRoom() && this.#transaction(redo).done) return;
    }
    this.#block(reason);
    for (const operation of operations) {
      if ('event' in operation) this.#keep(operation.event);
      else this.#backlog.addWrite(operation);
    }
  }

  #keep(event: E): void {
    this.#backlog.addEvent(event);
    if (!this.#eventsWait) this.#noteWaiting(true);
  }

  #noteWaiting(waiting: boolean): void {
    this.#eventsWait = waiting;
    this.#hooks.eventsWait(waiting);
  }

  #block(reason: string): void {
    this.#blocked = reason;
    this.#held = isHeld(this.#refusal);
    this.#stopRetry = this.#clock.after(RETRY_MS, () => this.retry());
  }

  /**
   * Writes what waits; what the disk does not take goes on waiting. Rows go first and are not asked for room: most take
   * the place of an older one, and the last room is kept for them. Whoever hears of an event may write, which waits too:
   * a row left behind would hide the database's own for good.
   */
  #drain(): boolean {
    const { leavesRoom, hasRoom } = this.#hooks;
    do {
      if (!this.#takesRows((write) => !leavesRoom(write.key))) return false;
      if (!hasRoom() || !this.#takesRows(() => true)) return false;
      const events = this.#backlog.events.slice(0, PORTION).map((event) => ({ event }));
      if (events.length > 0 && !(hasRoom() && this.#takes(events))) return false;
      this.#backlog.dropEvents(events.length);
    } while (this.#backlog.writes.length > 0 || this.#backlog.events.length > 0);
    return true;
  }

  /** Without rows too: whether the disk takes anything is seen by that. */
  #takesRows(which: (write: KeyedWrite) => boolean): boolean {
    const writes = this.#backlog.writes.filter(which);
    if (!this.#takes(writes)) return false;
    this.#backlog.dropWrites(writes);
    return true;
  }

  #takes(operations: readonly Operation<E>[]): boolean {
    const all = () => {
      for (const operation of operations) this.#perform(operation);
    };
    return this.#transaction(all).done;
  }
}
