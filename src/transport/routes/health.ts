/** GET /health: the one route without a token, for service managers. It says nothing but whether all is well. */
import { success } from '../http-message.ts';
import type { Route } from '../router.ts';
import { ROUTE_DEADLINE_MS, type RouteContext } from './context.ts';

export function healthRoutes({ desk, clock }: RouteContext): Route[] {
  return [
    {
      path: '/health',
      method: 'GET',
      body: 'none',
      deadlineMs: ROUTE_DEADLINE_MS,
      handler: () => success(clock.wall(), { status: desk.health().status, version: desk.version }),
    },
  ];
}
