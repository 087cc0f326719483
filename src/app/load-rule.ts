/**
 * What the agent's own process may cost, and what follows when it costs more: it says so (warn), lets go of what its
 * clients can have again (shed), and at last ends so that the service manager starts it fresh (restart). Pure. A limit
 * counts as passed when it was passed for a while, and as kept again only below nine tenths of it, so that a value that
 * hovers around a limit tells nothing twice.
 */

/** The process at one moment. */
export interface Load {
  readonly rssBytes: number;
  /** Percent of one core since the sample before. */
  readonly cpuPercent: number;
}

export type LoadAction = 'warn' | 'shed' | 'restart';

export interface LoadLimit {
  readonly of: 'memory' | 'cpu';
  /** MB of resident memory, or percent of one core. */
  readonly above: number;
  /** How long without a break, ms. */
  readonly forMs: number;
  readonly action: LoadAction;
}

/**
 * The idle agent needs less than 100 MB; a thread's heap may take 96 MB for a moment before it is replaced. CPU never
 * ends the process: a restart gives memory back, but whoever floods it with requests would go on.
 */
export const LOAD_LIMITS: readonly LoadLimit[] = [
  { of: 'memory', above: 200, forMs: 15_000, action: 'warn' },
  { of: 'memory', above: 300, forMs: 15_000, action: 'shed' },
  { of: 'memory', above: 400, forMs: 60_000, action: 'restart' },
  { of: 'cpu', above: 50, forMs: 60_000, action: 'warn' },
  { of: 'cpu', above: 90, forMs: 60_000, action: 'shed' },
];

const KEPT_AGAIN_BELOW = 0.9;
const MB = 2 ** 20;

/** How it stands with one limit. */
export interface LimitState {
  readonly passed: boolean;
  /** Since when the value is above, monotonic ms; null: it is not. */
  readonly aboveSinceMs: number | null;
  /** The last value, in the limit's unit. */
  readonly value: number;
}

/** One entry for each limit, in their order. */
export type LoadState = readonly LimitState[];

export function initialLoad(limits: readonly LoadLimit[]): LoadState {
  return limits.map(() => ({ passed: false, aboveSinceMs: null, value: 0 }));
}

/** Takes in one sample; the actions are those of limits that are passed from now on. */
export function stepLoad(
  state: LoadState,
  limits: readonly LoadLimit[],
  load: Load,
  nowMs: number,
): readonly [LoadState, readonly LoadAction[]] {
  const next = limits.map((limit, i) => stepLimit(state[i], limit, measured(limit, load), nowMs));
  const actions = limits.flatMap(({ action }, i) => (next[i]?.passed && !state[i]?.passed ? [action] : []));
  return [next, actions];
}

/** One sentence for memory and one for CPU, as far as a limit is passed: about the highest. */
export function loadReasons(state: LoadState, limits: readonly LoadLimit[]): string[] {
  return (['memory', 'cpu'] as const).flatMap((of) => {
    const passed = limits.flatMap((limit, i) => (limit.of === of && state[i]?.passed ? [limit.above] : []));
    if (passed.length === 0) return [];
    const value = Math.round(state[limits.findIndex((limit) => limit.of === of)]?.value ?? 0);
    const above = Math.max(...passed);
    return of === 'memory'
      ? [`The agent uses ${value} MB of memory, more than ${above} MB.`]
      : [`The agent uses ${value} % of a processor core, more than ${above} %.`];
  });
}

function stepLimit(
  before: LimitState | undefined,
  { above, forMs }: LoadLimit,
  value: number,
  nowMs: number,
): LimitState {
  const wasPassed = before?.passed ?? false;
  if (value <= above) {
    return { passed: wasPassed && value > above * KEPT_AGAIN_BELOW, aboveSinceMs: null, value };
  }
  const aboveSinceMs = before?.aboveSinceMs ?? nowMs;
  return { passed: wasPassed || nowMs - aboveSinceMs >= forMs, aboveSinceMs, value };
}

function measured({ of }: LoadLimit, load: Load): number {
  return of === 'memory' ? load.rssBytes / MB : load.cpuPercent;
}
