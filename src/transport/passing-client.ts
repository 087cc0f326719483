/**
 * The one client that is not remembered: `playwarden doctor` looks in under a name of its own, and must not take one
 * of the eight places (contract H1) for a month. What it acknowledged is kept in memory and never written.
 */
import { PASSING_CLIENT } from '../protocol/http.ts';
import type { ClientRecord, ClientStore, Clock, EventLog } from '../protocol/ports.ts';

/** The store for everybody else, and a record in memory for the passing client. */
export function withPassingClient(
  store: ClientStore,
  log: EventLog,
  clock: Pick<Clock, 'wall'>,
): ClientStore {
  let passing: ClientRecord | null = null;

  return {
    get: (clientId) => (clientId === PASSING_CLIENT ? passing : store.get(clientId)),
    open(clientId) {
      if (clientId !== PASSING_CLIENT) return store.open(clientId);
      passing ??= { clientId, cursor: null, base: log.oldest(), sent: null, seenMs: 0 };
      passing = { ...passing, seenMs: clock.wall() };
      return passing;
    },
    acknowledge(clientId, to) {
      if (clientId !== PASSING_CLIENT) return store.acknowledge(clientId, to);
      if (!passing) return to;
      const { cursor } = passing;
      if (cursor !== null && log.compare(cursor, to) >= 0) return cursor;
      passing = { ...passing, cursor: to };
      this.markSent(clientId, to);
      return to;
    },
    markSent(clientId, to) {
      if (clientId !== PASSING_CLIENT) return store.markSent(clientId, to);
      if (!passing || (passing.sent !== null && log.compare(passing.sent, to) >= 0)) return;
      passing = { ...passing, sent: to };
    },
    list: () => store.list(),
  };
}
