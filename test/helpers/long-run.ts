/**
 * How long a test of faults goes on: short in `npm test`, as its flags say in `npm run chaos` (test/chaos/run.mjs). A
 * round that began is always finished. `PLAYWARDEN_SEED` fixes what is drawn at random, where a seed is told.
 */
const rounds = process.env.PLAYWARDEN_CHAOS_ROUNDS;
const minutes = process.env.PLAYWARDEN_CHAOS_MINUTES;

/** The test runs in its long form. */
export const LONG = rounds !== undefined;

/** For the test's own time-out, ms. */
export const LONG_TIMEOUT_MS = LONG ? (Number(minutes ?? 30) + 2) * 60_000 : 60_000;

const endsAt =
  LONG && minutes !== undefined ? Date.now() + Number(minutes) * 60_000 : Number.POSITIVE_INFINITY;

/** Rounds of this run: `short`, or what the flags say. */
export function roundsOf(short: number): number {
  return rounds === undefined ? short : Number(rounds);
}

/** What is left of the minutes of this run, ms; Infinity when nothing bounds it. */
export const timeLeftMs = (): number => Math.max(0, endsAt - Date.now());

/** Whether the minutes of this run are over. */
export const timeIsUp = (): boolean => Date.now() >= endsAt;

/** Numbers a run has seen, for whoever watches it. */
export function report(what: string, numbers: Readonly<Record<string, number>>): void {
  if (LONG)
    console.log(
      `${what}: ${Object.entries(numbers)
        .map(([k, v]) => `${k} ${v}`)
        .join(', ')}`,
    );
}
