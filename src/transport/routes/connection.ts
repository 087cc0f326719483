/** POST /desktop/connect and /desktop/disconnect: a client learns where it stands, or says that it leaves. */
import { connectBody, DEFAULT_CLIENT, disconnectBody } from '../../protocol/http.ts';
import { problem } from '../../protocol/problems.ts';
import { success } from '../http-message.ts';
import type { Route } from '../router.ts';
import { checked, ROUTE_DEADLINE_MS, type RouteContext, refused, standing } from './context.ts';

export function connectionRoutes(context: RouteContext): Route[] {
  const { log, clients, sync, desk, clock, hub, polls } = context;
  const common = { method: 'POST', body: 'optional', deadlineMs: ROUTE_DEADLINE_MS } as const;
  return [
    {
      ...common,
      path: '/desktop/connect',
      handler: (request) =>
        checked(request, request.body, connectBody, ({ client_id = DEFAULT_CLIENT }) => {
          const record = clients.open(client_id);
          if (!record) {
            return refused(request, problem('too-many-clients', 'Eight clients are remembered already.'));
          }
          const { websocketEnabled, pollIntervalSeconds } = context.transports();
          const { epoch, firstOffset, lastOffset } = log.ends();
          const at = standing(context, client_id);
          return success(clock.wall(), {
            message: 'Connected.',
            client_id,
            agent_id: desk.agentId,
            websocket_available: websocketEnabled,
            websocket_url: `ws://localhost:${context.port()}/`,
            poll_url: `http://localhost:${context.port()}/desktop/events/poll`,
            poll_interval_seconds: pollIntervalSeconds,
            queued_items: {
              sessions: sync.countUnconfirmed(),
              notifications: log.count(at, 'notification'),
              events: log.count(at),
            },
            epoch,
            first_offset: firstOffset,
            last_offset: lastOffset,
            acked_epoch: record.cursor?.epoch ?? null,
            acked_offset: record.cursor?.offset ?? 0,
          });
        }),
    },
    {
      ...common,
      path: '/desktop/disconnect',
      handler: (request) =>
        checked(request, request.body, disconnectBody, ({ client_id = DEFAULT_CLIENT }) => {
          hub.leave(client_id);
          polls.leave(client_id);
          return success(clock.wall(), { message: 'Disconnected: events queue from here on.' });
        }),
    },
  ];
}
