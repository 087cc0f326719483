/**
 * `playwarden service install|uninstall|status`: the agent as a part of the machine, started with it and started
 * again whatever happens. The file that does it is generated, and shown with `--print`.
 */
import { existsSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { configToStartWith } from '../../app/config-file.ts';
import { defaultDataDir, prepareDataDir, reasonOf } from '../../app/data-dir.ts';
import { writeWholeFile } from '../../app/whole-file.ts';
import { findAgent } from '../../client/discover.ts';
import { EXIT, type ExitCode, UserError } from '../../protocol/exit-codes.ts';
import { columns } from '../columns.ts';
import { launchdPlan } from './launchd.ts';
import { must, output } from './manager.ts';
import type { ServicePlan, ServiceState } from './plan.ts';
import { startUpTaskPlan } from './start-up-task.ts';
import { systemdPlan } from './systemd.ts';
import { notOnlyRoots } from './trusted-program.ts';

export interface ServiceOptions {
  readonly dataDir?: string;
  readonly config?: string;
  /** Show the file and change nothing. */
  readonly print?: boolean;
}

/** An agent on a slow machine serves within this, ms. */
const COME_UP_MS = 15_000;
const LOOK_EVERY_MS = 200;

export async function installService(options: ServiceOptions): Promise<ExitCode> {
  const { node, cli, dataDir, config, plan } = planOf(options);
  if (options.print) {
    process.stdout.write(plan.text.replace(/^\uFEFF/, ''));
    return EXIT.ok;
  }
  needAdministrator();
  needManager(plan);
  configToStartWith(config ?? undefined, dataDir);
  for (const file of [node, cli, ...(config === null ? [] : [config])]) {
    const foreign = notOnlyRoots(file);
    if (foreign) {
      const mend = 'copy the program to a place of its own, as root: cp -r . /opt/playwarden';
      throw new UserError(EXIT.config, `${foreign}, so others could change what runs as root: ${mend}`);
    }
  }
  await prepareDataDir(dataDir);
  writePlan(plan);
  for (const call of plan.install) await must(call);
  await untilItServes(plan, dataDir);
  console.log(`The ${plan.kind} ${plan.file} is installed, and the agent runs.`);
  return EXIT.ok;
}

/** A service manager takes a program for started that ends at once, and starts it again and again. */
async function untilItServes(plan: ServicePlan, dataDir: string): Promise<void> {
  const deadline = performance.now() + COME_UP_MS;
  for (;;) {
    const agent = await findAgent(dataDir).catch(() => null);
    const { pid } = await stateOf(plan);
    if (agent && (pid === null || pid === agent.pid)) return;
    if (performance.now() > deadline) break;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  throw new UserError(
    EXIT.failed,
    `The ${plan.kind} ${plan.file} is installed, but no agent came up within ${COME_UP_MS / 1_000} s: ${plan.seeWhy}.`,
  );
}

export async function uninstallService(options: ServiceOptions): Promise<ExitCode> {
  const { plan, dataDir } = planOf(options);
  const calls = [...plan.remove, ...plan.afterRemove];
  if (options.print) {
    console.log([...calls.map((call) => call.join(' ')), `remove ${plan.file}`].join('\n'));
    return EXIT.ok;
  }
  needAdministrator();
  if (!existsSync(plan.file) && !(await stateOf(plan)).installed) {
    console.log(`Nothing is installed: there is no ${plan.kind} ${plan.file}.`);
    return EXIT.ok;
  }
  for (const call of plan.remove) await output(call);
  rmSync(plan.file, { force: true });
  for (const call of plan.afterRemove) await output(call);
  console.log(`The ${plan.kind} is gone. What the agent wrote stays in ${dataDir}.`);
  return EXIT.ok;
}

/** 0 when it is installed, comes up with the machine and runs. */
export async function serviceStatus(options: ServiceOptions): Promise<ExitCode> {
  const { plan } = planOf(options);
  if (options.print) {
    console.log(plan.status.join(' '));
    return EXIT.ok;
  }
  needManager(plan);
  const state = await stateOf(plan);
  const yes = (value: boolean) => (value ? 'yes' : 'no');
  const rows = [
    [plan.kind, plan.file],
    ['installed', yes(state.installed)],
    ['starts with the machine', yes(state.enabled)],
    ['runs', state.pid === null ? yes(state.running) : `yes, pid ${state.pid}`],
    ...(state.restarts === null ? [] : [['started again', `${state.restarts} times`]]),
  ];
  console.log(columns(rows).join('\n'));
  return state.installed && state.enabled && state.running ? EXIT.ok : EXIT.failed;
}

/** How the service of this machine stands; null: nothing here manages services. */
export async function serviceState(): Promise<(ServiceState & { readonly kind: string }) | null> {
  const { plan } = planOf({});
  return managed(plan) ? { ...(await stateOf(plan)), kind: plan.kind } : null;
}

async function stateOf(plan: ServicePlan): Promise<ServiceState> {
  return plan.readStatus(await output(plan.status));
}

function planOf(options: ServiceOptions) {
  const program = {
    node: realpathSync(process.execPath),
    // Bundled, this file is a chunk beside cli.js; what was started is the entry itself.
    cli: realpathSync(process.argv[1] ?? fileURLToPath(import.meta.url)),
    dataDir: resolve(options.dataDir ?? systemDataDir()),
    config: options.config === undefined ? null : resolve(options.config),
  };
  const plans: Partial<Record<NodeJS.Platform, (p: typeof program) => ServicePlan>> = {
    linux: systemdPlan,
    darwin: launchdPlan,
    win32: startUpTaskPlan,
  };
  const make = plans[process.platform];
  if (!make)
    throw new UserError(EXIT.failed, `There is no service for ${process.platform}: use its own means.`);
  return { ...program, plan: make(program) };
}

/** A service runs as root, whoever asks for its file. */
function systemDataDir(): string {
  return defaultDataDir({ platform: process.platform, env: process.env, home: '/', root: true });
}

function needAdministrator(): void {
  if (process.platform !== 'win32' && process.getuid?.() !== 0)
    throw new UserError(
      EXIT.failed,
      'Only root can do that: run it with sudo. (--print shows what it would do.)',
    );
}

const managed = ({ manager }: ServicePlan) => manager === null || existsSync(manager);

function needManager(plan: ServicePlan): void {
  if (managed(plan)) return;
  throw new UserError(
    EXIT.failed,
    `Nothing on this machine runs a ${plan.kind}: start the agent by other means. (--print shows the file.)`,
  );
}

function writePlan({ file, text, encoding }: ServicePlan): void {
  try {
    if (encoding === 'utf8') writeWholeFile(file, text, 0o644);
    else writeFileSync(file, text, encoding);
  } catch (error) {
    throw new UserError(EXIT.failed, `${file} cannot be written (${reasonOf(error)}).`);
  }
}
