/**
 * The self-test: a harmless process under the name that the agent takes for its test game, watched from its start
 * to the report of its end. It belongs to no child, costs nobody a minute, and closes nothing but itself.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { reasonOf } from '../../app/data-dir.ts';
import type { DeliveredEvent } from '../../protocol/events.ts';
import type { SelfTestFacts } from './judge.ts';
import type { Watch } from './watch.ts';

/** How long each stage may take, ms; a close may first ask for `close_wait_seconds`. */
const STAGE_MS = 8_000;
/** It ends by itself after this, whatever becomes of us, seconds. */
const LIFE_SECONDS = 60;

/** `name` is what the agent calls its test game. A text: why no process could be started. */
export async function runSelfTest(watch: Watch, name: string): Promise<SelfTestFacts | string> {
  const folder = mkdtempSync(join(tmpdir(), 'playwarden-test-'));
  let process: ChildProcess | null = null;
  try {
    const from = performance.now();
    process = await startHarmless(folder, name);
    return await follow(process, watch, () => performance.now() - from);
  } catch (error) {
    return `not done: no test process could be started (${reasonOf(error)})`;
  } finally {
    process?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

async function follow(process: ChildProcess, watch: Watch, since: () => number): Promise<SelfTestFacts> {
  const closed = new Promise<number>((resolve) => process.once('exit', () => resolve(since())));
  const told = async (kind: string) =>
    (await watch.event((event) => isOf(event, kind, process.pid), STAGE_MS)) && since();

  const detectedMs = await told('game_started');
  if (detectedMs === null) return { detectedMs, closedMs: null, reportedMs: null };
  const closedMs = await within(closed, STAGE_MS);
  if (closedMs === null) return { detectedMs, closedMs, reportedMs: null };
  return { detectedMs, closedMs, reportedMs: await told('game_stopped') };
}

function isOf(event: DeliveredEvent, kind: string, pid: number | undefined): boolean {
  return event.type === 'game_event' && event.event_type === kind && event.data.process_info.pid === pid;
}

/** A copy of a program that does nothing but wait; settles when it runs. */
async function startHarmless(folder: string, name: string): Promise<ChildProcess> {
  const [program, args] = waiting();
  const file = join(folder, globalThis.process.platform === 'win32' ? `${name}.exe` : name);
  copyFileSync(program, file);
  chmodSync(file, 0o755);
  const child = spawn(file, args, { stdio: 'ignore' });
  await new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  return child;
}

/** `sleep` where it is a program of its own (a multi-call binary would not know itself by another name), else Node. */
function waiting(): readonly [program: string, args: string[]] {
  const sleep = '/bin/sleep';
  try {
    if (basename(realpathSync(sleep)) === 'sleep') return [sleep, [String(LIFE_SECONDS)]];
  } catch {
    // There is none.
  }
  return [globalThis.process.execPath, ['-e', `setTimeout(() => {}, ${LIFE_SECONDS * 1_000})`]];
}

/** null when it does not settle in time. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
