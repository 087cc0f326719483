/** An agent of the usual shape in Node: ps-list every second, differences to a WebSocket. `ps-list-agent GAME`. */
import psList from 'ps-list';
import { WebSocketServer } from 'ws';

const INTERVAL_MS = 1_000;
const game = process.argv[2];
const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
server.once('listening', () => console.log((server.address() as { port: number }).port));

let playing = new Set<number>();
async function scan(): Promise<void> {
  const now = new Set((await psList()).filter((p) => p.name === game).map((p) => p.pid));
  for (const pid of now) if (!playing.has(pid)) tell('start', pid);
  for (const pid of playing) if (!now.has(pid)) tell('stop', pid);
  playing = now;
}

function tell(kind: 'start' | 'stop', pid: number): void {
  for (const client of server.clients) client.send(JSON.stringify({ kind, pid }));
}

for (;;) {
  await scan();
  await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
}
