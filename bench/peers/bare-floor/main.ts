/**
 * The floor under detection: kernel → worker → main → WebSocket, with no log, no supervisor, no session and no
 * token. What the agent takes beyond it is what these cost. `bare-floor GAME`; prints its port.
 */

import uWS from 'uWebSockets.js';
import { Worker } from 'node:worker_threads';
import { monotonicMs } from '../../../src/runtime/clock.ts';

const app = uWS.App();
app.ws('/*', { open: (ws) => void ws.subscribe('all') });
app.listen('127.0.0.1', 0, (socket) => console.log(socket ? uWS.us_socket_local_port(socket) : 'failed'));

const worker = new Worker(new URL('./bare-floor.worker.js', import.meta.url), {
  workerData: process.argv[2],
  trackUnmanagedFds: false,
});
worker.on('message', (told: object) => {
  app.publish('all', JSON.stringify({ ...told, heardMs: monotonicMs() }));
});
process.on('SIGTERM', () => process.kill(process.pid, 'SIGKILL'));
