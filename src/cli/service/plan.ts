/**
 * What installing the agent as a service means on any platform: one file with its text, and the programs to call.
 * The platforms' own files stand beside this one. Pure.
 */

/** What the service is to run. All paths absolute. */
export interface ServiceProgram {
  readonly node: string;
  /** dist/cli.js */
  readonly cli: string;
  readonly dataDir: string;
  readonly config: string | null;
}

export type Call = readonly [program: string, ...args: string[]];

export interface ServicePlan {
  /** What the platform calls it, for messages: `systemd unit`, `launchd daemon`, `start-up task`. */
  readonly kind: string;
  /** Is there where the platform's service manager runs; null: it always does. */
  readonly manager: string | null;
  readonly file: string;
  readonly text: string;
  readonly encoding: 'utf8' | 'utf16le';
  /** After the file is written. */
  readonly install: readonly Call[];
  /** What a person is to do who wants to know why the agent does not come up. */
  readonly seeWhy: string;
  /** Before the file is removed; one that fails is passed over. */
  readonly remove: readonly Call[];
  /** After it is removed. */
  readonly afterRemove: readonly Call[];
  /** Its output says how the service stands. */
  readonly status: Call;
  readonly readStatus: (output: string | null) => ServiceState;
}

export interface ServiceState {
  readonly installed: boolean;
  readonly running: boolean;
  /** Comes up with the machine. */
  readonly enabled: boolean;
  readonly pid: number | null;
  /** How often the service manager had to start it again; null: it does not say. */
  readonly restarts: number | null;
}

/** The agent's own arguments. */
export function runArguments({ dataDir, config }: ServiceProgram): string[] {
  return ['run', '--data-dir', dataDir, ...(config === null ? [] : ['--config', config])];
}
