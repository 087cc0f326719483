/** The WebSocket upgrade: who may have one, in which mode, and under which subprotocol (contract W1, W2, S4, S6). */
import {
  clientId as clientIdSchema,
  SUBPROTOCOL_RELIABLE,
  SUBPROTOCOL_SIMPLE,
  WS_LIMITS,
} from '../protocol/frames.ts';
import { DEFAULT_CLIENT } from '../protocol/http.ts';
import type { ClientStore, Role } from '../protocol/ports.ts';
import { type Problem, problem } from '../protocol/problems.ts';
import { fieldErrors } from '../protocol/schema-errors.ts';
import type { SessionStart } from './client-session.ts';
import { header, type RequestHead } from './http-message.ts';
import { offeredSubprotocols, presentedToken } from './tokens.ts';

export interface UpgradePolicy {
  readonly websocketEnabled: boolean;
  readonly stopping: boolean;
  readonly openSockets: number;
  readonly clients: ClientStore;
}

export type UpgradeDecision =
  | { readonly ok: false; readonly problem: Problem; readonly headers?: Readonly<Record<string, string>> }
  | { readonly ok: true; readonly subprotocol: string | null; readonly start: SessionStart };

/** Decides on an upgrade that the front door let in. */
export function decideUpgrade(head: RequestHead, role: Role | null, policy: UpgradePolicy): UpgradeDecision {
  if (role === null) return refuse(problem('unauthorized', 'A WebSocket needs a token.'));
  if (policy.stopping) return refuse(problem('stopping', 'The agent is stopping.', { retryAfterMs: 1_000 }));
  if (!policy.websocketEnabled) {
    return refuse(problem('transport-disabled', 'desktop_client.websocket.enabled is false.'));
  }
  // uWebSockets.js looks at the key alone.
  if (!asksForWebSocket(head) || header(head, 'sec-websocket-version') !== '13') {
    const detail = 'Send "Upgrade: websocket" and "Sec-WebSocket-Version: 13".';
    return {
      ok: false,
      problem: problem('upgrade-required', detail),
      headers: { Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' },
    };
  }
  const named = nameInUrl(head);
  if (!named.ok) return named;
  const mode = chosenMode(head);
  if (policy.openSockets >= WS_LIMITS.maxSockets) {
    const detail = `${WS_LIMITS.maxSockets} WebSockets are open already.`;
    return refuse(problem('too-many-sockets', detail, { retryAfterMs: 1_000 }));
  }
  // A reliable client may still say another name in its hello; a simple one has said all.
  if (mode.mode === 'simple' && policy.clients.open(named.clientId ?? DEFAULT_CLIENT) === null) {
    return refuse(problem('too-many-clients', 'Eight clients are remembered already.'));
  }
  const token = presentedToken(head, 'upgrade');
  const origin = header(head, 'origin') ?? null;
  return {
    ok: true,
    subprotocol: mode.subprotocol,
    start: { mode: mode.mode, role, clientId: named.clientId, token, origin },
  };
}

function asksForWebSocket(head: RequestHead): boolean {
  const offers = (head.headers.get('upgrade') ?? []).flatMap((value) => value.split(','));
  return offers.some((offer) => offer.trim().toLowerCase() === 'websocket');
}

type NameInUrl = { readonly ok: true; readonly clientId: string | null } | (UpgradeDecision & { ok: false });

function nameInUrl(head: RequestHead): NameInUrl {
  // Of two the last one, as in the query of a route: one URL names one client on either transport.
  const name = new URLSearchParams(head.query).getAll('client_id').at(-1);
  if (name === undefined) return { ok: true, clientId: null };
  const checked = clientIdSchema.safeParse(name);
  if (checked.success) return { ok: true, clientId: checked.data };
  const errors = fieldErrors(checked.error.issues).map((e) => ({ ...e, path: 'client_id' }));
  return refuse(problem('schema-mismatch', 'The query does not fit.', { errors }));
}

/** The first known subprotocol that is offered; without one the client is a simple one. */
function chosenMode(head: RequestHead): Pick<SessionStart, 'mode'> & { readonly subprotocol: string | null } {
  const known = offeredSubprotocols(head).find((p) => p === SUBPROTOCOL_RELIABLE || p === SUBPROTOCOL_SIMPLE);
  if (known === SUBPROTOCOL_RELIABLE) return { mode: 'reliable', subprotocol: known };
  return { mode: 'simple', subprotocol: known ?? null };
}

function refuse(reason: Problem): { readonly ok: false; readonly problem: Problem } {
  return { ok: false, problem: reason };
}
