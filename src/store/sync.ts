/** How far each ended session is on its way to Firebase (contract H3). */
import type { SessionData } from '../protocol/events.ts';
import type { SyncState, SyncStore } from '../protocol/ports.ts';
import type { Records } from './records.ts';
import type { Row } from './rows.ts';

export function openSync(records: Records, sessions: Records): SyncStore {
  const due = records.query('WHERE confirmed = 0 AND ask_at_ms IS NOT NULL ORDER BY ask_at_ms');
  const unconfirmed = `WHERE is_active = 0 AND NOT EXISTS
     (SELECT 1 FROM sync WHERE sync.session_id = sessions.session_id AND confirmed = 1)`;
  const ended = sessions.query(`${unconfirmed} ORDER BY end_ms`);
  const countEnded = sessions.counter(unconfirmed);

  /** Ended sessions without a confirmation, one that waits for the disk counted. */
  function open(): Row[] {
    return sessions
      .select(ended, [], (row) => row.is_active === 0)
      .filter((row) => records.get([String(row.session_id)])?.confirmed !== 1);
  }

  return {
    state(sessionId) {
      const row = records.get([sessionId]);
      return row ? fromRow(row) : null;
    },
    put({ sessionId, confirmed, asks, askAtMs }) {
      records.put([sessionId, confirmed ? 1 : 0, asks, askAtMs]);
    },
    unconfirmed: (limit) =>
      open()
        .slice(0, limit)
        .map((row) => JSON.parse(String(row.value)) as SessionData),
    // Asked for with every status: a month of sessions is not read for it.
    countUnconfirmed: () => (sessions.waits || records.waits ? open().length : countEnded()),
    due: () => records.select(due, [], (row) => row.confirmed === 0 && row.ask_at_ms !== null).map(fromRow),
  };
}

function fromRow(row: Row): SyncState {
  return {
    sessionId: String(row.session_id),
    confirmed: row.confirmed === 1,
    asks: Number(row.asks),
    askAtMs: row.ask_at_ms === null ? null : Number(row.ask_at_ms),
  };
}
