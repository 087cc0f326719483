/** `npm run bench:results -- FILE.json`: RESULTS.md and its charts from one kept run. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import { latencyChart, scanChart } from './report/charts.ts';
import { markdown } from './report/markdown.ts';
import { readResults } from './report/results.ts';

// The bundle stands in bench/out.
const BENCH = fileURLToPath(new URL('../', import.meta.url));
const CHARTS = [
  { title: 'Latency of a start', file: 'charts/latency.svg', draw: latencyChart },
  { title: 'Cost of a scan', file: 'charts/scan.svg', draw: scanChart },
];

const [kept] = process.argv.slice(2);
if (kept === undefined) throw new Error('which run? npm run bench:results -- FILE.json');
const results = readResults(kept);
mkdirSync(`${BENCH}charts`, { recursive: true });
for (const { file, draw } of CHARTS) writeFileSync(`${BENCH}${file}`, await svg(draw(results.measures)));
writeFileSync(`${BENCH}RESULTS.md`, markdown(results, CHARTS));
console.log(`${BENCH}RESULTS.md`);

function svg(spec: TopLevelSpec): Promise<string> {
  return new View(parse(compile(spec).spec), { renderer: 'none' }).toSVG();
}
