/** What it costs to have the agent on the machine: memory and its parts, room on disk, a whole evening. */
import type { Group } from '../harness/bench.ts';
import { evening } from './evening.ts';
import { install } from './install.ts';
import { memory } from './memory.ts';

export const cost: Group = { name: 'cost', cases: [memory, install, evening] };
