/**
 * What a bench says: a number with its unit, the goal that an issue sets for it, and whether it is met. Plain data,
 * kept as JSON. Pure.
 */
import type { Summary } from './samples.ts';

export type Unit = 'ns' | 'µs' | 'ms' | 's' | '%' | 'MB' | '/s' | '×' | '';

export interface Goal {
  readonly at: 'most' | 'least' | 'exactly';
  readonly value: number;
}

export interface Measure {
  /** `group.case.figure`: the same in every run, for comparing two. */
  readonly id: string;
  readonly what: string;
  /** null: it could not be measured; `note` says why. */
  readonly value: number | null;
  readonly unit: Unit;
  readonly goal?: Goal;
  readonly note?: string;
  /** The distribution behind the number, where it is kept. */
  readonly summary?: Summary;
}

export type Verdict =
  | { readonly is: 'met' }
  /** `by`: how far beyond the goal, as a share of it; Infinity where the goal is 0. */
  | { readonly is: 'missed'; readonly by: number }
  | { readonly is: 'unknown' }
  | { readonly is: 'no goal' };

export function judge({ value, goal }: Pick<Measure, 'value' | 'goal'>): Verdict {
  if (!goal) return { is: 'no goal' };
  if (value === null || Number.isNaN(value)) return { is: 'unknown' };
  const met =
    goal.at === 'most'
      ? value <= goal.value
      : goal.at === 'least'
        ? value >= goal.value
        : value === goal.value;
  if (met) return { is: 'met' };
  return { is: 'missed', by: Math.abs(value - goal.value) / Math.abs(goal.value) };
}

export const atMost = (value: number): Goal => ({ at: 'most', value });
export const atLeast = (value: number): Goal => ({ at: 'least', value });
export const exactly = (value: number): Goal => ({ at: 'exactly', value });
