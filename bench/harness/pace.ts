/**
 * How fast the machine is at the moment. A shared machine changes its pace by a third within the hour, and every time in
 * a run with it: a piece of work that is always the same, timed before and after each case, tells that from a change of
 * the code.
 */
import { statSync } from 'node:fs';
import { devNull } from 'node:os';
import { median } from '../report/samples.ts';

const TURNS = 60;
const TEXT = JSON.stringify(
  Array.from({ length: 40 }, (_, i) => ({ pid: i, name: `process-${i}`, path: null })),
);

/** The median time of the work, µs. Takes some 20 ms. */
export function pace(): number {
  const times = Array.from({ length: TURNS }, () => {
    const begun = performance.now();
    work();
    return (performance.now() - begun) * 1_000;
  });
  return median(times);
}

/** What the agent mostly does: text to objects and back, and calls of the kernel. */
function work(): void {
  let text = TEXT;
  for (let i = 0; i < 4; i += 1) text = JSON.stringify(JSON.parse(text));
  for (let i = 0; i < 20; i += 1) statSync(devNull);
}
