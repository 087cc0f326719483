/** The small C programs of bench/native, compiled once per run into a folder that goes with it. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Child, start } from './children.ts';

const SOURCES = fileURLToPath(new URL('../native/', import.meta.url));

let folder: string | null = null;

/** A folder for what this run writes; removed when the run ends. */
export function workFolder(): string {
  if (folder) return folder;
  const made = mkdtempSync(join(tmpdir(), 'playwarden-bench-'));
  process.on('exit', () => rmSync(made, { recursive: true, force: true }));
  folder = made;
  return made;
}

const compiled = new Map<string, string>();

function program(name: 'game' | 'launch' | 'crowd'): string {
  const known = compiled.get(name);
  if (known) return known;
  const file = join(workFolder(), `pwbench-${name}`);
  // Static: without a dynamic linker main() follows the exec at once.
  execFileSync('gcc', ['-O2', '-static', '-o', file, join(SOURCES, `${name}.c`)]);
  compiled.set(name, file);
  return file;
}

/** A game under a name that nothing else on this machine has; `name` is cut by nobody (15 characters). */
export function gameProgram(): { readonly name: string; readonly file: string } {
  const name = `pwb${randomBytes(5).toString('hex')}`;
  const file = join(workFolder(), name);
  copyFileSync(program('game'), file);
  return { name, file };
}

/** Another program than any game: what a fork storm is made of. */
export function otherProgram(): string {
  return program('game');
}

export interface Launched {
  readonly started: number;
  /** From the first start to the last one, ms. */
  readonly tookMs: number;
  /** pid → when its own code began to run, ms on the monotonic clock. */
  readonly began: ReadonlyMap<number, number>;
}

export interface LaunchOptions {
  readonly file: string;
  readonly count: number;
  readonly intervalMs: number;
  readonly lifeMs: number;
  /** None is started later than so long after the first: a machine that cannot keep the pace starts fewer. */
  readonly limitMs?: number;
}

let launches = 0;

/** Starts processes at a steady pace; settles when all have ended. */
export function launch({ file, count, intervalMs, lifeMs, limitMs = 0 }: LaunchOptions): {
  readonly child: Child;
  readonly done: Promise<Launched>;
} {
  launches += 1;
  const log = join(workFolder(), `launch-${launches}.log`);
  const numbers = [intervalMs * 1_000, count, limitMs].map((n) => String(Math.round(n)));
  const child = start(program('launch'), [log, ...numbers, file, String(lifeMs)]);
  const done = child.line().then((line) => {
    const [started, tookNs] = line.split(' ').map(Number);
    const began = new Map<number, number>();
    for (const line of readFileSync(log, 'utf8').split('\n')) {
      const [pid, ns] = line.split(' ');
      if (pid && ns) began.set(Number(pid), Number(ns) / 1e6);
    }
    rmSync(log);
    return { started: started ?? 0, tookMs: (tookNs ?? 0) / 1e6, began };
  });
  return { child, done };
}

/** Processes that stand around, or keep the cores busy, until the child is ended. */
export async function crowd(count: number, kind: 'idle' | 'busy' = 'idle'): Promise<Child> {
  const child = start(program('crowd'), [String(count), kind]);
  await child.line();
  return child;
}
