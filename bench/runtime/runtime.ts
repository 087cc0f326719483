/** The actor toolkit and the agent as a whole: what they cost over the bare parts. */
import type { Group } from '../harness/bench.ts';
import { hop } from './hop.ts';
import { whole } from './whole.ts';

export const runtime: Group = { name: 'runtime', cases: [hop, whole] };
