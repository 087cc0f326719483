/** The real server over a real store, with a desk that nobody asks anything. */
import type { Store, TickingClock } from '../../src/protocol/ports.ts';
import { problem } from '../../src/protocol/problems.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { type RunningServer, startServer } from '../../src/transport/server.ts';

export const TOKEN = 'bench-token-bench-token-bench-token-bench-token';

export const benchClock: TickingClock = { ...systemClock, wall: Date.now };

export function benchServer(store: Store): Promise<RunningServer> {
  const refused = { ok: false, problem: problem('not-found', 'Nobody is asked anything here.') } as const;
  return startServer({
    host: 'localhost',
    port: 0,
    log: store.log,
    clients: store.clients,
    sync: store.sync,
    clock: benchClock,
    desk: {
      agentId: 'bench',
      version: '0.0.0',
      health: () => ({ status: 'healthy', reasons: [] }),
      status: async () => ({ agent: {}, children: {} }),
      command: async () => refused,
      confirm: () => refused,
      usage: async () => refused,
    },
    security: () => ({
      requireToken: true,
      viewToken: `${TOKEN}-view`,
      controlToken: TOKEN,
      allowedOrigins: [],
    }),
    transports: () => ({ websocketEnabled: true, pollingEnabled: true, pollIntervalSeconds: 2 }),
    logger: { debug: () => {}, warn: console.error, error: console.error },
  });
}
