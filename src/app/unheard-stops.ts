/**
 * Plays that ended and of which the session actor has not said that it took in the end: its next life hears of each, with its
 * own moment. They are kept beside the told processes, so that a restart of the agent in between loses none (contract T7);
 * not in the turn in which a stop is told, but right behind it: the client that hears of it goes first.
 */
import type { ProcessIdentity } from '../protocol/messages.ts';
import type { Clock, EndedProcess, Store, ToldProcess } from '../protocol/ports.ts';
import { processKey } from './process-key.ts';

/** The most that are kept; of more the oldest sessions end where they were last charged. */
const MAX_UNHEARD = 1_000;

export class UnheardStops {
  /** Oldest first. */
  #all: EndedProcess[] = [];
  /** Told, and not kept yet. */
  readonly #soon = new Map<EndedProcess, () => void>();
  readonly #store: Pick<Store, 'told' | 'commit'>;
  readonly #clock: Clock;

  constructor(store: Pick<Store, 'told' | 'commit'>, clock: Clock, bootId: string) {
    this.#store = store;
    this.#clock = clock;
    for (const row of store.told.ended()) {
      // The moments of another boot's clock mean nothing, and the boot has ended its sessions.
      if (row.bootId === bootId) this.#all.push(row);
      else store.told.removeEnded(row);
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

  /** Its stop is told: nothing else of it is kept any more. */
  keep(ended: EndedProcess): void {
    if (!this.has(ended)) return;
    const cancel = this.#clock.after(0, () => this.#keepNow([ended]));
    this.#soon.set(ended, cancel);
  }

  /** Keeps at once what was to be kept soon: the agent stops. */
  stop(): void {
    this.#keepNow([...this.#soon.keys()]);
  }

  /** The session actor took in a stop of this process: of several the first. */
  taken(identity: ProcessIdentity): void {
    this.#drop(this.#all.find(({ process }) => processKey(process) === processKey(identity)));
  }

  #drop(ended: EndedProcess | undefined): void {
    if (!ended) return;
    this.#all = this.#all.filter((other) => other !== ended);
    const cancel = this.#soon.get(ended);
    if (cancel) cancel();
    else this.#store.told.removeEnded(ended);
    this.#soon.delete(ended);
  }

  #keepNow(told: readonly EndedProcess[]): void {
    if (told.length === 0) return;
    this.#store.commit(() => {
      for (const ended of told) this.#store.told.putEnded(ended);
    });
    for (const ended of told) {
      this.#soon.get(ended)?.();
      this.#soon.delete(ended);
    }
  }
}

export const isEnded = (row: ToldProcess): row is EndedProcess => 'endedAwakeMs' in row;

/** Plays that are over, with what runs and is of one session with a later one of them: by their starts. */
export function withOlder<T extends ToldProcess>(
  plays: readonly T[],
  running: readonly ToldProcess[],
): readonly (T | ToldProcess)[] {
  const startOf = (row: ToldProcess) => row.process.startedAwakeMs;
  const older = running.filter((row) =>
    plays.some(
      (play) =>
        play.child === row.child && play.process.game === row.process.game && startOf(play) > startOf(row),
    ),
  );
  return [...plays, ...older].sort((a, b) => startOf(a) - startOf(b));
}
