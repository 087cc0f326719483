/** Measures as lines a person reads: number, goal, verdict. Pure. */
import { type Goal, judge, type Measure, type Unit } from './measure.ts';

const GOAL_SIGN = { most: '≤', least: '≥', exactly: '=' } as const;

export function figure(value: number | null, unit: Unit): string {
  if (value === null || Number.isNaN(value)) return '–';
  const size = Math.abs(value);
  const digits = Number.isInteger(value) || size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  const text = value.toFixed(digits);
  return unit === '' ? text : `${text} ${unit}`;
}

export function goalText(goal: Goal | undefined, unit: Unit): string {
  return goal ? `${GOAL_SIGN[goal.at]} ${figure(goal.value, unit)}` : '';
}

export function verdictText(measure: Measure): string {
  const verdict = judge(measure);
  switch (verdict.is) {
    case 'met':
      return 'met';
    case 'missed':
      return Number.isFinite(verdict.by) ? `NOT MET by ${Math.round(verdict.by * 100)} %` : 'NOT MET';
    case 'unknown':
      return 'NOT MEASURED';
    case 'no goal':
      return '';
  }
}

/** A table with columns as wide as needed; the first is set to the left, the second to the right. */
export function table(measures: readonly Measure[]): string {
  const rows = measures.map((m) => [
    m.what,
    figure(m.value, m.unit),
    goalText(m.goal, m.unit),
    verdictText(m),
    m.note ?? '',
  ]);
  const widths = [0, 1, 2, 3].map((i) => Math.max(...rows.map((row) => width(row[i] ?? ''))));
  return rows
    .map((row) => row.map((cell, i) => (i === 1 ? padLeft : padRight)(cell, widths[i] ?? 0)).join('  '))
    .map((line) => `  ${line.trimEnd()}`)
    .join('\n');
}

const width = (text: string) => [...text].length;
const padLeft = (text: string, to: number) => ' '.repeat(Math.max(0, to - width(text))) + text;
const padRight = (text: string, to: number) => text + ' '.repeat(Math.max(0, to - width(text)));
