/**
 * What the agent's parts weigh and cost without the agent: Node, a server, an open database, two empty threads, and each
 * of the three threads awake once a second, as one that beats must be.
 */

import uWS from 'uWebSockets.js';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import Database from 'libsql';
import { systemClock } from '../../../src/runtime/clock.ts';

const folder = mkdtempSync(join(tmpdir(), 'playwarden-bare-'));
const db = new Database(join(folder, 'bare.db'));
db.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (n INTEGER)');
db.prepare('INSERT INTO t VALUES (?)').run(1);
const file = new URL('./bare-node.worker.js', import.meta.url);
const workers = [new Worker(file), new Worker(file)];
await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('online', resolve))));
systemClock.everySecond(() => {});
uWS.App().listen('127.0.0.1', 0, (socket) => console.log(socket ? 'ready' : 'failed'));
process.on('SIGTERM', () => {
  rmSync(folder, { recursive: true, force: true });
  process.exit(0);
});
