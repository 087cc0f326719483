/** GET /desktop/queue/*: what waits for a client, to look at. Looking acknowledges nothing. */
import { DEFAULT_CLIENT, HTTP_LIMITS, queueQuery } from '../../protocol/http.ts';
import { envelope } from '../../protocol/position.ts';
import { json, success } from '../http-message.ts';
import type { Route } from '../router.ts';
import { checked, ROUTE_DEADLINE_MS, type RouteContext, standing } from './context.ts';

export function queueRoutes(context: RouteContext): Route[] {
  const { log, clients, sync, clock } = context;
  const common = { method: 'GET', body: 'none', inTurns: true, deadlineMs: ROUTE_DEADLINE_MS } as const;
  return [
    {
      ...common,
      path: '/desktop/queue/sessions',
      handler: (request) =>
        checked(request, request.query, queueQuery, ({ limit = HTTP_LIMITS.maxPollEvents }) => {
          const sessions = sync.unconfirmed(limit);
          return success(clock.wall(), { sessions, count: sessions.length });
        }),
    },
    {
      ...common,
      path: '/desktop/queue/notifications',
      handler: (request) =>
        checked(request, request.query, queueQuery, ({ client_id, limit = HTTP_LIMITS.maxPollEvents }) => {
          const entries = log.readType(standing(context, client_id), 'notification', limit);
          const sent = clients.get(client_id ?? DEFAULT_CLIENT)?.sent ?? null;
          const texts = entries.map((e) => envelope(e, sent !== null && log.compare(e, sent) <= 0));
          const timestamp = new Date(clock.wall()).toISOString();
          return json(
            `{"status":"success","timestamp":"${timestamp}","notifications":[${texts.join(',')}],"count":${texts.length}}`,
          );
        }),
    },
  ];
}
