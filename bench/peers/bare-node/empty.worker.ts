/** A thread that does nothing, once a second. */
import { parentPort } from 'node:worker_threads';
import { everySecond } from '../../../src/runtime/clock.ts';

parentPort?.on('message', () => {});
everySecond(() => {});
