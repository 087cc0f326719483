/** A run as a page for readers: every number beside its goal, nothing that the JSON does not hold. Pure. */
import { judge, type Measure } from './measure.ts';
import { peersTable } from './peers-table.ts';
import { describeRun, type Results } from './results.ts';
import { figure, goalText, verdictText } from './text.ts';

export interface ChartFile {
  readonly title: string;
  readonly file: string;
}

/** `file`: the JSON of the run, from where the page stands. */
export function markdown(results: Results, file: string, charts: readonly ChartFile[]): string {
  const missed = results.measures.filter((m) => ['missed', 'unknown'].includes(judge(m).is));
  const met = results.measures.filter((m) => judge(m).is === 'met').length;
  const parts = [
    '# Results',
    `Made by \`npm run bench:results\` from [the JSON of one run](${file}); repeat it with \`npm ci && npm run bench\`.`,
    describeRun(results).replaceAll('\n', '  \n'),
    ...charts.map(({ title, file }) => `![${title}](${file})`),
    '## Beside what people would use instead',
    peersTable(results.measures),
    'How soon each actor works again after a crash or a hang is shown by `npm run chaos -- supervision --minutes 5`.',
    `## Goals: ${met} met, ${missed.length} not met`,
    ...(missed.length > 0 ? [table(missed)] : []),
  ];
  const cases = new Map<string, Measure[]>();
  for (const measure of results.measures) {
    const name = measure.id.split('.').slice(0, 2).join('.');
    cases.set(name, [...(cases.get(name) ?? []), measure]);
  }
  for (const [name, measures] of cases) parts.push(`## ${name}`, table(measures));
  return `${parts.join('\n\n')}\n`;
}

function table(measures: readonly Measure[]): string {
  const rows = measures.map((m) =>
    [m.what, figure(m.value, m.unit), goalText(m.goal, m.unit), verdictText(m), m.note ?? '']
      .map((cell) => cell.replaceAll('|', '\\|'))
      .join(' | '),
  );
  return ['| measure | value | goal | | |', '|---|--:|--:|---|---|', ...rows.map((row) => `| ${row} |`)].join(
    '\n',
  );
}
