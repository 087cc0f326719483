/** GET /desktop/status: connection, queues, agent and children in one look (contract H2). */
import { statusQuery } from '../../protocol/http.ts';
import { success } from '../http-message.ts';
import type { Route } from '../router.ts';
import { checked, ROUTE_DEADLINE_MS, type RouteContext, standing } from './context.ts';

/** A client that polled within so many of its intervals counts as connected. */
const CONNECTED_INTERVALS = 3;

export function statusRoutes(context: RouteContext): Route[] {
  const { log, sync, desk, clock, hub } = context;
  return [
    {
      path: '/desktop/status',
      method: 'GET',
      body: 'none',
      deadlineMs: ROUTE_DEADLINE_MS,
      handler: (request) =>
        checked(request, request.query, statusQuery, async ({ client_id }) => {
          const { agent, children } = await desk.status();
          const at = standing(context, client_id);
          const connected = connectedClients(context);
          return success(clock.wall(), {
            connected: client_id === undefined ? connected.size > 0 : connected.has(client_id),
            websocket_available: context.transports().websocketEnabled,
            websocket_clients: hub.sockets,
            queued_sessions: sync.countUnconfirmed(),
            queued_notifications: log.count(at, 'notification'),
            queued_events: log.count(at),
            epoch: log.ends().epoch,
            last_offset: log.ends().lastOffset,
            agent_id: desk.agentId,
            agent,
            children,
          });
        }),
    },
  ];
}

/** Clients with a socket open, or that polled within three intervals. */
export function connectedClients({
  hub,
  polls,
  transports,
}: Pick<RouteContext, 'hub' | 'polls' | 'transports'>): ReadonlySet<string> {
  const withinMs = CONNECTED_INTERVALS * transports().pollIntervalSeconds * 1_000;
  return new Set([...hub.clients(), ...polls.clientsWithin(withinMs)]);
}
