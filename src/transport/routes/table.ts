/** All routes of contract section 4. */
import type { Route } from '../router.ts';
import { agentRoutes } from './agent.ts';
import { connectionRoutes } from './connection.ts';
import type { RouteContext } from './context.ts';
import { healthRoutes } from './health.ts';
import { pollRoutes } from './poll.ts';
import { queueRoutes } from './queues.ts';
import { statusRoutes } from './status.ts';

export function routeTable(context: RouteContext): readonly Route[] {
  return [healthRoutes, connectionRoutes, statusRoutes, pollRoutes, queueRoutes, agentRoutes].flatMap(
    (make) => make(context),
  );
}
