/**
 * `playwarden simulate`: what a rule set would do on a written day, before a Saturday proves it wrong. Needs no
 * agent and touches none; the scenario's format stands in CONFIGURATION.md.
 */
import { simulate as play, type Simulation } from '../actors/session/simulate.ts';
import { describeErrors, readConfig } from '../app/config-file.ts';
import { defaultDataDir, reasonOf } from '../app/data-dir.ts';
import { readJsonDocument } from '../app/json-document.ts';
import { readSmallFile } from '../app/small-file.ts';
import type { Config } from '../protocol/config.ts';
import { EXIT, type ExitCode, UserError } from '../protocol/exit-codes.ts';
import { parseScenario, type Scenario } from '../protocol/scenario.ts';
import { paintFor } from './columns.ts';
import { timelineText } from './timeline-text.ts';

export interface SimulateOptions {
  /** Left out: what an agent of this account would read. */
  readonly config?: string;
  readonly scenario: string;
  readonly json?: boolean;
}

export function simulate(options: SimulateOptions): ExitCode {
  const read = readConfig(options.config, defaultDataDir());
  if (!read.ok)
    throw new UserError(EXIT.config, `${read.file} does not hold:\n${describeErrors(read.errors)}`);
  const scenario = readScenario(options.scenario, read.config);
  const simulation: Simulation = play(read.config, scenario);
  if (options.json) console.log(JSON.stringify({ title: scenario.title, ...simulation }, null, 2));
  else {
    const paint = paintFor(process.stdout, process.env);
    console.log(timelineText(scenario.title, simulation, scenario.zone, paint));
  }
  return EXIT.ok;
}

function readScenario(file: string, config: Config): Scenario {
  let text: string;
  try {
    text = readSmallFile(file);
  } catch (error) {
    throw new UserError(EXIT.config, `The scenario ${file} cannot be read (${reasonOf(error)}).`);
  }
  const read = readJsonDocument(text);
  const parsed = read.ok ? parseScenario(read.document, config) : read;
  if (!parsed.ok)
    throw new UserError(EXIT.config, `The scenario ${file} does not hold:\n${describeErrors(parsed.errors)}`);
  return parsed.scenario;
}
