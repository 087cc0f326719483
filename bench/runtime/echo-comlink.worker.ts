/** A bare thread behind comlink: answers calls. */
import { parentPort } from 'node:worker_threads';
import type { Endpoint } from 'comlink';
import { expose } from 'comlink/dist/esm/comlink.mjs';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';

if (parentPort) expose({ echo: (value: number) => value }, nodeEndpoint(parentPort) as Endpoint);
