/**
 * Plays that ended and of which the session actor has not said that it took in the end: its next life hears of each, with its
 * own moment. One that is told takes its row among the told processes over in the same commit, so that not even a kill right
 * behind it loses the moment (contract T7), and the client that hears of it waits for no write more than without.
 */
import type { ProcessIdentity } from '../protocol/messages.ts';
import type { EndedProcess, ToldProcess, ToldStore } from '../protocol/ports.ts';
import { processKey } from './process-key.ts';

/** The most that are kept; of more the oldest sessions end where they were last charged. */
const MAX_UNHEARD = 1_000;

export class UnheardStops {
  /** Oldest first. */
  #all: EndedProcess[] = [];
  /** Those that stand in the row of the told process, by process. */
  readonly #inItsRow = new Map<string, EndedProcess>();
  readonly #store: ToldStore;

  constructor(store: ToldStore, bootId: string) {
    this.#store = store;
    const told = new Set(store.all().map(({ process }) => processKey(process)));
    for (const row of store.ended()) {
      // The moments of another boot's clock mean nothing, and the boot has ended its sessions.
      if (row.bootId === bootId) {
        this.#all.push(row);
        // It has a row of its own from here on: the process may be told anew.
        store.putEnded(row);
      } else {
        store.removeEnded(row);
      }
      const { pid, startKey } = row.process;
      if (!told.has(processKey(row.process))) store.remove(pid, startKey);
    }
  }

  all(): readonly EndedProcess[] {
    return this.#all;
  }

  add(ended: EndedProcess): void {
    this.#all.push(ended);
    if (this.#all.length > MAX_UNHEARD) this.#drop(this.#all[0]);
  }

  /** The session actor is still to take it in. */
  has(ended: EndedProcess): boolean {
    return this.#all.includes(ended);
  }

  /** Its stop is told. `inItsRow`: which is free, as the process does not go on. Joins the caller's commit. */
  keep(ended: EndedProcess, inItsRow: boolean): void {
    this.makeRoom(ended.process);
    if (!inItsRow) {
      this.#store.putEnded(ended);
      return;
    }
    this.#store.put(ended);
    this.#inItsRow.set(processKey(ended.process), ended);
  }

  /** The process is told anew and needs its row. Joins the caller's commit. */
  makeRoom(identity: ProcessIdentity): void {
    const key = processKey(identity);
    const ended = this.#inItsRow.get(key);
    if (!ended) return;
    this.#inItsRow.delete(key);
    this.#store.putEnded(ended);
  }

  /** The session actor took in a stop of this process: of several the first. */
  taken(identity: ProcessIdentity): void {
    this.#drop(this.#all.find(({ process }) => processKey(process) === processKey(identity)));
  }

  #drop(ended: EndedProcess | undefined): void {
    if (!ended) return;
    this.#all = this.#all.filter((other) => other !== ended);
    const { pid, startKey } = ended.process;
    if (this.#inItsRow.get(processKey(ended.process)) !== ended) this.#store.removeEnded(ended);
    else {
      this.#inItsRow.delete(processKey(ended.process));
      this.#store.remove(pid, startKey);
    }
  }
}

export const isEnded = (row: ToldProcess): row is EndedProcess => 'endedAwakeMs' in row;

/**
 * Plays that are over, by their starts, and what of their sessions began before one of them and runs on: the oldest, with which
 * a session goes on whatever else runs.
 */
export function withOlder<T extends ToldProcess>(
  plays: readonly T[],
  running: readonly ToldProcess[],
): readonly (T | ToldProcess)[] {
  const startOf = (row: ToldProcess) => row.process.startedAwakeMs;
  const sessionOf = (row: ToldProcess) => `${row.child} ${row.process.game}`;
  const latestPlay = new Map<string, number>();
  for (const play of plays) {
    const latest = latestPlay.get(sessionOf(play)) ?? Number.NEGATIVE_INFINITY;
    latestPlay.set(sessionOf(play), Math.max(latest, startOf(play)));
  }
  const oldest = new Map<string, ToldProcess>();
  for (const row of running) {
    const other = oldest.get(sessionOf(row));
    if (!other || startOf(row) < startOf(other)) oldest.set(sessionOf(row), row);
  }
  const older = [...oldest].filter(
    ([of, row]) => startOf(row) < (latestPlay.get(of) ?? Number.NEGATIVE_INFINITY),
  );
  return [...plays, ...older.map(([, row]) => row)].sort((a, b) => startOf(a) - startOf(b));
}
