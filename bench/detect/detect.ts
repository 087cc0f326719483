/** Detection: how soon, at what cost, and whether anything is lost (the table of what it must reach). */
import type { Group } from '../harness/bench.ts';
import { breakdown } from './breakdown.ts';
import { growth, idle, scan } from './cost.ts';
import { againstTheFloor, procfs, settings } from './latency.ts';
import { shortLived, storm } from './storm.ts';

export const detect: Group = {
  name: 'detect',
  cases: [againstTheFloor, breakdown, procfs, idle, growth, storm, shortLived, scan, settings],
};
