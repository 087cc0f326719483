/** `npm run bench:results -- FILE.json`: RESULTS.md, its charts and the README's paragraph from one kept run. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import { CHARTS } from './report/charts.ts';
import { headline, withHeadline } from './report/headline.ts';
import { markdown } from './report/markdown.ts';
import { readResults } from './report/results.ts';

// The bundle stands in bench/out.
const BENCH = fileURLToPath(new URL('../', import.meta.url));
const README = fileURLToPath(new URL('../../README.md', import.meta.url));

const [kept] = process.argv.slice(2);
if (kept === undefined) {
  console.error('Which run? npm run bench:results -- FILE.json');
  process.exit(64);
}
const results = readResults(kept);
mkdirSync(`${BENCH}charts`, { recursive: true });
for (const { file, draw } of CHARTS) writeFileSync(`${BENCH}${file}`, await svg(draw(results.measures)));
writeFileSync(`${BENCH}RESULTS.md`, markdown(results, relative(BENCH, kept), CHARTS));
writeFileSync(README, withHeadline(readFileSync(README, 'utf8'), headline(results)));
console.log(`${BENCH}RESULTS.md`);

function svg(spec: TopLevelSpec): Promise<string> {
  return new View(parse(compile(spec).spec), { renderer: 'none' }).toSVG();
}
