/** Delivery: how late, how fast, how steady, and what a long log costs. */
import type { Group } from '../harness/bench.ts';
import { growth, replay, start } from './backlog.ts';
import { stalled, stream } from './stream.ts';

export const delivery: Group = { name: 'delivery', cases: [stream, replay, start, growth, stalled] };
