/**
 * Ended sessions on their way to Firebase (contract H3): `POST /sync/confirm`, and the asking again after a
 * failure, 30 s later, doubling to an hour. What is due survives a restart.
 */
import type { ConfirmBody } from '../protocol/http.ts';
import type { Answer, Clock, Store, SyncState } from '../protocol/ports.ts';
import { problem } from '../protocol/problems.ts';

const FIRST_ASK_MS = 30_000;
const LONGEST_ASK_MS = 3_600_000;

export interface SyncDesk {
  confirm(body: ConfirmBody): Answer<{ session_id: string; confirmed: boolean; already: boolean }>;
  stop(): void;
}

/** How long to wait before the n-th new request (n from 1), ms. */
export function askDelayMs(asks: number): number {
  return Math.min(FIRST_ASK_MS * 2 ** (asks - 1), LONGEST_ASK_MS);
}

export function createSyncDesk(
  store: Pick<Store, 'sync' | 'ledger' | 'log' | 'commit'>,
  clock: Clock,
): SyncDesk {
  const timers = new Map<string, () => void>();
  for (const state of store.sync.due()) schedule(state);

  function schedule(state: SyncState): void {
    cancel(state.sessionId);
    if (state.askAtMs === null) return;
    const stop = clock.after(Math.max(0, state.askAtMs - clock.wall()), () => ask(state.sessionId));
    timers.set(state.sessionId, stop);
  }

  function cancel(sessionId: string): void {
    timers.get(sessionId)?.();
    timers.delete(sessionId);
  }

  function ask(sessionId: string): void {
    timers.delete(sessionId);
    const state = store.sync.state(sessionId);
    const session = store.ledger.session(sessionId);
    if (!session || !state || state.confirmed) return;
    store.commit(() => {
      store.log.append([{ type: 'firebase_sync_request', data: { data_type: 'session', data: session } }]);
      store.sync.put({ ...state, askAtMs: null });
    });
  }

  return {
    confirm({ session_id, success }) {
      const session = store.ledger.session(session_id);
      if (!session) {
        return { ok: false, problem: problem('session-unknown', `No session is called "${session_id}".`) };
      }
      if (session.is_active) {
        const detail = `The session "${session_id}" is still running: confirm it after its session_ended.`;
        return { ok: false, problem: problem('session-running', detail) };
      }
      const before = store.sync.state(session_id) ?? {
        sessionId: session_id,
        confirmed: false,
        asks: 0,
        askAtMs: null,
      };
      if (before.confirmed) return { ok: true, value: { session_id, confirmed: true, already: true } };
      // It speaks of the request that is to be repeated already: a report that comes twice does not put it off.
      if (!success && before.askAtMs !== null) {
        return { ok: true, value: { session_id, confirmed: false, already: false } };
      }
      const asks = before.asks + (success ? 0 : 1);
      const after = {
        ...before,
        asks,
        confirmed: success,
        askAtMs: success ? null : clock.wall() + askDelayMs(asks),
      };
      store.commit(() => store.sync.put(after));
      schedule(after);
      return { ok: true, value: { session_id, confirmed: success, already: false } };
    },
    stop() {
      for (const cancelTimer of timers.values()) cancelTimer();
      timers.clear();
    },
  };
}
