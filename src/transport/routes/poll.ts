/** GET /desktop/events/poll (contract D8); what a poll means stands in poll-adapter.ts. */
import { DEFAULT_CLIENT, HTTP_LIMITS, pollQuery } from '../../protocol/http.ts';
import { problem } from '../../protocol/problems.ts';
import type { Route } from '../router.ts';
import { checked, ROUTE_DEADLINE_MS, type RouteContext, refused } from './context.ts';

export function pollRoutes({ polls, transports }: RouteContext): Route[] {
  return [
    {
      path: '/desktop/events/poll',
      method: 'GET',
      body: 'none',
      inTurns: true,
      deadlineMs: HTTP_LIMITS.maxPollWaitSeconds * 1_000 + ROUTE_DEADLINE_MS,
      handler: (request) => {
        if (!transports().pollingEnabled) {
          return refused(
            request,
            problem('transport-disabled', 'desktop_client.http_polling.enabled is false.'),
          );
        }
        return checked(request, request.query, pollQuery, (query) =>
          polls.poll(query.client_id ?? DEFAULT_CLIENT, query, request.onAbort),
        );
      },
    },
  ];
}
