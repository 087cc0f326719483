/** What the command line takes for the agent of a data directory: this process, with answers of the test's own. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

export interface StandIn {
  stop(): Promise<void>;
}

export interface Given {
  readonly status?: number;
  readonly body: object;
  /** It comes so late. */
  readonly afterMs?: number;
}

/** `answer` is given the path and the body of each request; null: no answer at all. */
export async function standIn(
  dataDir: string,
  answer: (path: string, body: Readonly<Record<string, unknown>>) => Given | null,
): Promise<StandIn> {
  const server: Server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const given = answer(request.url ?? '', JSON.parse(text || '{}'));
    if (!given) return;
    setTimeout(() => {
      response
        .writeHead(given.status ?? 200, { 'Content-Type': 'application/json' })
        .end(JSON.stringify(given.body));
    }, given.afterMs ?? 0);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  mkdirSync(dataDir, { recursive: true });
  for (const name of ['control', 'view']) writeFileSync(join(dataDir, `${name}.token`), name);
  writeFileSync(
    join(dataDir, 'agent.json'),
    JSON.stringify({
      pid: process.pid,
      host: 'localhost',
      port: (server.address() as AddressInfo).port,
      version: '0.1.0',
      agent_id: 'stand-in',
      started_at: '2026-01-01T00:00:00.000Z',
      epoch: 'e1',
      token_file: join(dataDir, 'control.token'),
      view_token_file: join(dataDir, 'view.token'),
      source: 'procfs',
    }),
  );
  return {
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
