/** `playwarden report`: what the children played, from the running agent (`GET /desktop/usage`). */
import type { UsageDay } from '../app/usage.ts';
import { EXIT, type ExitCode, UserError } from '../protocol/exit-codes.ts';
import { HTTP_ANSWERS } from '../protocol/http-answers.ts';
import { zoneOfNode } from '../protocol/time-zone.ts';
import { paintFor } from './columns.ts';
import { reportText } from './report-text.ts';
import { askAgent, type DataDirOption } from './running-agent.ts';

export interface ReportOptions extends DataDirOption {
  readonly child?: string;
  /** This calendar week, Monday to today. */
  readonly week?: boolean;
  readonly from?: string;
  readonly to?: string;
  readonly json?: boolean;
}

/** Prints the last seven days, or those that were asked for. */
export async function report(options: ReportOptions): Promise<ExitCode> {
  const { child, week, from, to } = options;
  if (week && (from ?? to) !== undefined)
    throw new UserError(EXIT.usage, 'Say either --week, or --from and --to.');
  if (from !== undefined && to !== undefined && from > to)
    throw new UserError(EXIT.usage, '--from is after --to.');
  const query = { ...(child !== undefined && { child }), ...(from && { from }), ...(to && { to }) };
  const answer = await askAgent(options, HTTP_ANSWERS['GET /desktop/usage'], (api, signal) =>
    api.usage(query, signal),
  );
  const all = answer.days as unknown as readonly UsageDay[];
  const days = week ? thisWeek(all) : all;
  if (options.json) console.log(JSON.stringify({ time_zone: answer.time_zone, days }, null, 2));
  else {
    const { columns: width } = process.stdout;
    console.log(
      reportText(days, {
        timeZone: answer.time_zone,
        ownZone: zoneOfNode(),
        paint: paintFor(process.stdout, process.env),
        width,
      }),
    );
  }
  return EXIT.ok;
}

/** Of the last seven days those of the last one's calendar week: the agent knows which day it is, we may not. */
export function thisWeek<T extends { readonly day: string }>(days: readonly T[]): readonly T[] {
  const today = days.at(-1)?.day;
  if (today === undefined) return days;
  const monday = new Date(`${today}T00:00:00Z`);
  monday.setUTCDate(monday.getUTCDate() - ((monday.getUTCDay() + 6) % 7));
  const first = monday.toISOString().slice(0, 10);
  return days.filter((day) => day.day >= first);
}
