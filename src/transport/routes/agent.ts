/** Routes that hand on to the agent's desk: commands, usage, confirmations of sessions. */
import { confirmBody, usageQuery } from '../../protocol/http.ts';
import type { Route } from '../router.ts';
import { answered, checked, ROUTE_DEADLINE_MS, type RouteContext } from './context.ts';

/** A close asks, waits (`close_wait_seconds`, 300 at most), forces and verifies: as long as clients are told to wait. */
const COMMAND_DEADLINE_MS = 310_000;

export function agentRoutes({ desk, clock }: RouteContext): Route[] {
  return [
    {
      path: '/desktop/usage',
      method: 'GET',
      body: 'none',
      deadlineMs: ROUTE_DEADLINE_MS,
      handler: (request) =>
        checked(request, request.query, usageQuery, async (query) =>
          answered(request, await desk.usage(query), clock),
        ),
    },
    {
      path: '/desktop/command',
      method: 'POST',
      body: 'required',
      deadlineMs: COMMAND_DEADLINE_MS,
      handler: async (request) =>
        answered(request, await desk.command(request.body, request.role ?? 'view'), clock),
    },
    {
      path: '/sync/confirm',
      method: 'POST',
      body: 'required',
      deadlineMs: ROUTE_DEADLINE_MS,
      handler: (request) =>
        checked(request, request.body, confirmBody, (body) => answered(request, desk.confirm(body), clock)),
    },
  ];
}
