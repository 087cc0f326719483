/** A thread that does nothing, once a second. */
import { parentPort } from 'node:worker_threads';
import { systemClock } from '../../../src/runtime/clock.ts';

parentPort?.on('message', () => {});
systemClock.everySecond(() => {});
