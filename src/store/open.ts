/** Opens the store: checks what the last run left, then wires one part per concern over one SQLite connection. */
import { EXIT, UserError } from '../protocol/exit-codes.ts';
import type { Clock, Store } from '../protocol/ports.ts';

export interface StoreOptions {
  /** The data directory; it exists and is ours. */
  readonly dir: string;
  readonly clock: Clock;
  /** Changes with each boot of the machine (contract E5). */
  readonly bootId: string;
  /** Room the database keeps for a full disk (contract D10), bytes. */
  readonly reserveBytes?: number;
}

/** Opens `<dir>/playwarden.db`; throws `UserError(EXIT.disk)` when the directory or the disk refuses. */
export function openStore(options: StoreOptions): Store {
  throw new UserError(EXIT.disk, `${options.dir}: the store is not built yet`);
}
