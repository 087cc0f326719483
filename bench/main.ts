/**
 * The one runner; `npm run bench -- --help` says how it is asked. Prints every number beside its goal and keeps the
 * run as JSON. Ends whatever it started.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cost } from './cost/cost.ts';
import { delivery } from './delivery/delivery.ts';
import { detect } from './detect/detect.ts';
import { type Asked, type Group, message, runCase } from './harness/bench.ts';
import { pace } from './harness/pace.ts';
import { http } from './http/http.ts';
import { peers } from './peers/peers.ts';
import { compare, comparisonText, paceText } from './report/compare.ts';
import { judge, type Measure } from './report/measure.ts';
import { busyShare, describeRun, loads, machine, type Results, readResults } from './report/results.ts';
import { table } from './report/text.ts';
import { runtime } from './runtime/runtime.ts';
import { session } from './session/session.ts';

const GROUPS: readonly Group[] = [detect, delivery, session, runtime, http, peers, cost];

/** Each group with its cases: `detect (latency, …)`. */
const CHOICES = GROUPS.map((g) => `${g.name} (${g.cases.map((c) => c.name).join(', ')})`);

const HELP = `npm run bench -- [group[.case]]... [options]

  nothing named     everything but the long cases
  --smoke           seconds for each case, the long ones too: that it runs, not how fast
  --minutes N       the long cases too, N minutes each
  --json FILE       keep the results there, not in bench/out
  --compare FILE    beside an earlier run, with its noise bands

groups and their cases:
  ${CHOICES.join('\n  ')}`;

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

try {
  await main();
} catch (error) {
  console.error(message(error));
  process.exitCode = 64;
}
// What a case that was given up has left behind goes in the exit handlers.
process.exit();

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      smoke: { type: 'boolean', default: false },
      minutes: { type: 'string' },
      json: { type: 'string' },
      compare: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return;
  }
  const asked: Asked = { smoke: values.smoke, minutes: minutes(values.minutes) };
  const chosen = select(positionals, asked);
  const earlier = values.compare === undefined ? null : readResults(values.compare);
  const noise = { loadBefore: loads(), busyBefore: await busyShare(1_000) };
  const at = new Date().toISOString();
  const measures: Measure[] = [];
  const paceUs: Record<string, number> = {};
  for (const group of chosen) {
    for (const one of group.cases) {
      const begun = performance.now();
      const before = pace();
      const found = await runCase(group.name, one, asked);
      paceUs[`${group.name}.${one.name}`] = (before + pace()) / 2;
      const seconds = ((performance.now() - begun) / 1_000).toFixed(0);
      console.log(`\n${group.name}.${one.name} (${seconds} s)\n${table(found)}`);
      measures.push(...found);
    }
  }
  const results: Results = {
    at,
    smoke: values.smoke,
    machine: machine(),
    noise: { ...noise, loadAfter: loads() },
    paceUs,
    measures,
  };
  const file = values.json ?? fileURLToPath(new URL(`./${at.replaceAll(':', '-')}.json`, import.meta.url));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(results, compact, 1)}\n`);
  console.log(`\n${describeRun(results)}`);
  console.log(summary(measures));
  if (earlier) {
    console.log(`\nagainst the run of ${earlier.at}: ${comparisonText(compare(earlier, results))}`);
    console.log(paceText(earlier, results));
  }
  console.log(`kept in ${file}`);
  // A smoke run is for rot: a case that no longer runs is an error, a goal that is missed in it is not.
  if (values.smoke && measures.some((m) => m.id.endsWith('.failed'))) process.exitCode = 1;
}

function minutes(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (!(Number(text) > 0)) throw new Error(`--minutes ${text} is no time`);
  return Number(text);
}

/** `detect` is a group, `detect.storm` one case of it; nothing is everything. */
function select(names: readonly string[], { smoke, minutes }: Asked): readonly Group[] {
  const usual = (group: Group): Group => ({
    ...group,
    cases: group.cases.filter((c) => !c.long || smoke || minutes !== null),
  });
  if (names.length === 0) return GROUPS.map(usual);
  return names.map((name) => {
    const [groupName, caseName] = name.split('.');
    const group = GROUPS.find((g) => g.name === groupName);
    const cases = group?.cases.filter((c) => c.name === caseName) ?? [];
    if (group && caseName === undefined) return usual(group);
    if (group && cases.length > 0) return { ...group, cases };
    throw new Error(`there is no bench ${name}; there are ${CHOICES.join('; ')}`);
  });
}

function summary(measures: readonly Measure[]): string {
  const count = (is: string) => measures.filter((m) => judge(m).is === is).length;
  const missed = measures.filter((m) => judge(m).is === 'missed' || judge(m).is === 'unknown');
  const head = `goals: ${count('met')} met, ${count('missed')} not met, ${count('unknown')} not measured`;
  return missed.length === 0 ? head : `${head}\n${table(missed)}`;
}

/** Four significant digits are more than any of this is worth. */
function compact(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}
