/**
 * A scenario for `playwarden simulate`: what a child, a PC and a parent do, with times. Its schema, and the one
 * function that turns a document into a `Scenario` or into every problem it has.
 * The format stands in CONFIGURATION.md. Pure.
 */
import * as z from 'zod/mini';
import { COMMAND_PARAMETERS } from './commands.ts';
import type { Config } from './config.ts';
import type { FieldError } from './problems.ts';
import { fieldErrors } from './schema-errors.ts';
import { isTimeZone } from './time-zone.ts';

const CLOCK = '([01]\\d|2[0-3]):[0-5]\\d(:[0-5]\\d)?';
const DATE = '\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])';

const LONGEST_DAYS = 400;

const dateTime = z
  .string()
  .check(
    z.regex(new RegExp(`^${DATE}T${CLOCK}$`), 'must be a date and time like 2026-11-28T09:00'),
    z.refine(isRealDay, 'names a day that no calendar has'),
  );
const at = z
  .string()
  .check(
    z.regex(
      new RegExp(`^(${DATE}T)?${CLOCK}$`),
      'must be a time like 09:05 or a date and time like 2026-11-28T09:05',
    ),
    z.refine(isRealDay, 'names a day that no calendar has'),
  );
const zone = z.string().check(z.minLength(1), z.maxLength(100));
const child = z.optional(z.string());
const LONGEST_MINUTES = 60 * 24 * 366;
const length = z.number().check(z.positive(), z.maximum(LONGEST_MINUTES));
/** Forwards or backwards. */
const shift = z.number().check(z.minimum(-LONGEST_MINUTES), z.maximum(LONGEST_MINUTES));

const TIME_COMMANDS = ['set_time_limit', 'extend_time', 'pause', 'resume'] as const;

/** Exactly one of the actions. */
const STEP_SHAPES = {
  start: z.strictObject({ at, start: z.string(), child, obeys: z.optional(z.boolean()) }),
  stop: z.strictObject({ at, stop: z.string(), child }),
  command: z.strictObject({
    at,
    command: z.enum(TIME_COMMANDS),
    child,
    parameters: z.optional(z.record(z.string(), z.unknown())),
  }),
  clock_minutes: z.strictObject({ at, clock_minutes: shift }),
  zone: z.strictObject({ at, zone }),
  suspend_minutes: z.strictObject({ at, suspend_minutes: length }),
  reboot_minutes: z.strictObject({ at, reboot_minutes: length }),
  agent: z.strictObject({ at, agent: z.enum(['down', 'up']) }),
} as const;

type Shapes = typeof STEP_SHAPES;

/** One step as it is written; its action is the key that only this shape has. */
export type ScenarioStep = { [A in keyof Shapes]: z.infer<Shapes[A]> }[keyof Shapes];

export const scenarioDocument = z.strictObject({
  title: z.optional(z.string().check(z.maxLength(200))),
  starts: dateTime,
  ends: z.optional(dateTime),
  zone: z.optional(zone),
  repeat_days: z.optional(z.int().check(z.minimum(1), z.maximum(366))),
  steps: z.array(z.union(Object.values(STEP_SHAPES))).check(z.minLength(1), z.maxLength(1_000)),
});

export interface Scenario {
  readonly title: string;
  readonly starts: string;
  readonly ends: string | null;
  readonly zone: string;
  readonly repeatDays: number;
  readonly steps: readonly ScenarioStep[];
}

export type ScenarioResult =
  | { readonly ok: true; readonly scenario: Scenario }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

/** Checks a parsed document against its schema and against the configuration that it is played with. */
export function parseScenario(document: unknown, config: Pick<Config, 'games' | 'profiles'>): ScenarioResult {
  const steps = stepsOf(document);
  const errors = [
    ...headErrors(document),
    ...steps.flatMap((step, i) =>
      stepErrors(step, config).map((e) => ({ ...e, path: `steps.${i}.${e.path}` })),
    ),
  ];
  const parsed = scenarioDocument.safeParse(document);
  if (errors.length > 0) return { ok: false, errors };
  if (!parsed.success) return { ok: false, errors: fieldErrors(parsed.error.issues) };
  const turned = orderErrors(parsed.data);
  if (turned.length > 0) return { ok: false, errors: turned };
  const { title = '', starts, ends = null, zone: named = 'UTC', repeat_days: repeatDays = 1 } = parsed.data;
  return { ok: true, scenario: { title, starts, ends, zone: named, repeatDays, steps: parsed.data.steps } };
}

/** Dates must not run backwards, nor far away: every second between them is played. */
function orderErrors({ starts, ends, steps }: z.infer<typeof scenarioDocument>): FieldError[] {
  const dated = [
    ...steps.map((step, i) => ({ path: `steps.${i}.at`, text: step.at })),
    { path: 'ends', text: ends ?? '' },
  ].filter(({ text }) => text.includes('T'));
  let before = starts;
  return dated.flatMap(({ path, text }) => {
    const days = (Date.parse(`${text.slice(0, 10)}Z`) - Date.parse(`${starts.slice(0, 10)}Z`)) / 86_400_000;
    if (days > LONGEST_DAYS) return [{ path, message: `must be within ${LONGEST_DAYS} days of the start` }];
    if (text < before) return [{ path, message: `must not be before ${before}` }];
    before = text;
    return [];
  });
}

function stepsOf(document: unknown): readonly unknown[] {
  const steps =
    typeof document === 'object' && document !== null && 'steps' in document ? document.steps : [];
  return Array.isArray(steps) ? steps : [];
}

/** Everything but the steps, which are told one by one. */
function headErrors(document: unknown): FieldError[] {
  const issues = scenarioDocument.safeParse(document).error?.issues ?? [];
  const head = fieldErrors(issues.filter((issue) => issue.path[0] !== 'steps' || issue.path.length === 1));
  const named =
    typeof document === 'object' && document !== null && 'zone' in document ? document.zone : undefined;
  return typeof named === 'string' && !isTimeZone(named) ? [...head, zoneError(named)] : head;
}

function stepErrors(step: unknown, config: Pick<Config, 'games' | 'profiles'>): FieldError[] {
  if (typeof step !== 'object' || step === null) return [{ path: '$', message: 'must be a step' }];
  const raw: Readonly<Record<string, unknown>> = { ...step };
  const actions = Object.keys(STEP_SHAPES).filter((action) => action in raw);
  const [action] = actions;
  if (action === undefined || actions.length > 1) {
    const message = `must have exactly one of ${Object.keys(STEP_SHAPES).join(', ')}`;
    return [{ path: '$', message }];
  }
  const shape = STEP_SHAPES[action as keyof Shapes];
  const errors = fieldErrors(shape.safeParse(raw).error?.issues ?? []);
  return errors.length > 0 ? errors : meaningErrors(raw, config);
}

/** What only the configuration knows: children, games, and what a command takes. */
function meaningErrors(
  raw: Readonly<Record<string, unknown>>,
  { games, profiles }: Pick<Config, 'games' | 'profiles'>,
): FieldError[] {
  const errors: FieldError[] = [];
  for (const key of ['start', 'stop'] as const) {
    const game = raw[key];
    if (game !== undefined && !games.some((g) => g.id === game)) {
      errors.push({ path: key, message: `no game has the id "${game}"` });
    }
  }
  const aboutChild = 'start' in raw || 'stop' in raw || 'command' in raw;
  const names = Object.keys(profiles);
  if (aboutChild && raw.child === undefined && names.length !== 1) {
    errors.push({ path: 'child', message: 'must name a child, since there are several' });
  }
  if (typeof raw.child === 'string' && !names.includes(raw.child)) {
    errors.push({ path: 'child', message: `there is no child profile "${raw.child}"` });
  }
  const command = TIME_COMMANDS.find((name) => name === raw.command);
  if (command) {
    const issues = COMMAND_PARAMETERS[command].safeParse(raw.parameters ?? {}).error?.issues ?? [];
    errors.push(...fieldErrors(issues).map((e) => ({ ...e, path: `parameters.${e.path}` })));
  }
  if (typeof raw.zone === 'string' && !isTimeZone(raw.zone)) errors.push(zoneError(raw.zone));
  return errors;
}

function zoneError(name: string): FieldError {
  return { path: 'zone', message: `"${name}" is not a known time zone; write one like Europe/Berlin` };
}

/** `2026-02-30` is none. What is no date at all has an error of its own. */
function isRealDay(text: string): boolean {
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)T/.exec(text) ?? [];
  return (
    day === undefined ||
    new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() === Number(day)
  );
}
