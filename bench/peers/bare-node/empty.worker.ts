/** A thread that does nothing. */
import { parentPort } from 'node:worker_threads';

parentPort?.on('message', () => {});
