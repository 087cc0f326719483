/** What main reads of the ledger's `clock`, for the scanner; the session actor's own reading of it is in saved.ts. */
import type { ClockPair } from '../../protocol/messages.ts';
import type { SavedClock } from './ledger.ts';

/** `clock`: that state of the ledger. The clocks as they were last read in this boot; null: in another one, or nothing that holds was kept. */
export function lastClocks(clock: unknown, bootId: string): ClockPair | null {
  const saved = clock as Partial<SavedClock> | null | undefined;
  const reading: Partial<SavedClock['reading']> | null | undefined = saved?.reading;
  if (reading?.bootId !== bootId) return null;
  const { awakeMs, elapsedMs } = reading;
  return typeof awakeMs === 'number' && typeof elapsedMs === 'number' ? { awakeMs, elapsedMs } : null;
}
