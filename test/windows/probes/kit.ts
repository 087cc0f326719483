/**
 * What probes share: programs that run inside Windows, act out scenarios and tell the facts of each as one line of
 * JSON. The tests outside judge them.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, copyFileSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const GAME = 'C:\\playwarden\\game.exe';
const LOOK_EVERY_MS = 20;
const PATIENCE_MS = 30_000;

/** Waits until it is so, however slow the machine is; fails after a time that is out of all proportion. */
export async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const end = performance.now() + PATIENCE_MS; !(await isSo()); ) {
    if (performance.now() > end) throw new Error(`not in ${PATIENCE_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** Acts one scenario out and tells its facts, or why it failed; games it left are ended. */
export async function scenario(name: string, games: Games, act: () => Promise<object>): Promise<void> {
  try {
    tell({ scenario: name, ...(await act()) });
  } catch (error) {
    tell({ scenario: name, error: error instanceof Error ? error.stack : String(error) });
  }
  await games.end();
}

function tell(facts: object): void {
  process.stdout.write(`${JSON.stringify(facts)}\n`);
}

/** Wall clock in ms with its fractions. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Copies of the game program, under names no other run uses, and the processes that run them. */
export class Games {
  readonly tag = randomBytes(3).toString('hex');
  readonly dir = `C:\\playwarden\\games-${this.tag}`;
  readonly #running = new Set<ChildProcess>();
  #started = 0;

  constructor() {
    mkdirSync(this.dir, { recursive: true });
  }

  /** `Player` → the name of that executable in this run. */
  name(role: string): string {
    return `PwWin${role}-${this.tag}.exe`;
  }

  /** Starts the executable of this role, or the one at `path` below the games' folder. */
  start(role: string, does: readonly string[] = ['sleep'], path = this.name(role)): Game {
    const said = join(this.dir, `said-${this.#started++}`);
    const output = openSync(said, 'w');
    const child = spawn(this.file(path), does, { stdio: ['ignore', output, 'ignore'] });
    closeSync(output);
    this.#running.add(child);
    const exited = once(child, 'exit').then(() => void this.#running.delete(child));
    if (child.pid === undefined) throw new Error(`${path} did not start`);
    const says = (word: string) =>
      until(() => readFileSync(said, 'utf8').split(/\r?\n/).includes(word), `${path} says ${word}`);
    return { pid: child.pid, name: path, exited, says, kill: () => child.kill() };
  }

  /** The full path of a copy, made if it is not there. */
  file(path: string): string {
    const file = join(this.dir, path);
    mkdirSync(join(file, '..'), { recursive: true });
    try {
      copyFileSync(GAME, file);
    } catch (error) {
      // It runs already, so it is there.
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
    }
    return file;
  }

  async end(): Promise<void> {
    const ended = [...this.#running].map((child) => once(child, 'exit'));
    for (const child of this.#running) child.kill();
    await Promise.all(ended);
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export interface Game {
  readonly pid: number;
  readonly name: string;
  readonly exited: Promise<void>;
  /** Waits for a line of its output. */
  says(word: string): Promise<void>;
  kill(): void;
}

/** Starts another program that gets this pid, which is free. */
export async function claimPid(
  pid: number,
  games: Games,
  role: string,
): Promise<Pick<Game, 'name' | 'kill'>> {
  const program = games.start('Claimer', ['claim', String(pid), games.file(games.name(role))]);
  await program.exited;
  const kill = () => process.kill(pid);
  return { name: games.name(role), kill };
}
