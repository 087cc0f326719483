/**
 * Work that goes over many processes, cut into turns: between two of them the thread beats. All closes of a thread share
 * the turns, since hundreds of them that each took one in a row would keep it from its beat as well.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** ms */
const TURN_MS = 20;

export interface Pace {
  /** Asked before each process: `while (pace.isOver()) await pace.next();` */
  isOver(): boolean;
  next(): Promise<void>;
}

export function createPace(): Pace {
  let endsAt = 0;
  let coming: Promise<void> | null = null;
  const begin = () => {
    coming = null;
    endsAt = performance.now() + TURN_MS;
  };
  return {
    isOver: () => performance.now() >= endsAt,
    next() {
      coming ??= nextTurn().then(begin);
      return coming;
    },
  };
}
