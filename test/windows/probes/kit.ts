/**
 * What probes share: programs that run inside Windows, act out scenarios and tell the facts of each as one line of
 * JSON. The tests outside judge them.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const GAME = 'C:\\playwarden\\game.exe';

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

  /** `Player` → the name of that executable in this run. */
  name(role: string): string {
    return `PwWin${role}-${this.tag}.exe`;
  }

  /** Starts the executable of this role, or the one at `path` below the games' folder. */
  start(role: string, does: readonly string[] = ['sleep'], path = this.name(role)): Game {
    const child = spawn(this.file(path), does, { stdio: 'ignore' });
    this.#running.add(child);
    const exited = once(child, 'exit').then(() => void this.#running.delete(child));
    if (child.pid === undefined) throw new Error(`${path} did not start`);
    return { pid: child.pid, name: path, exited, kill: () => child.kill() };
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
  kill(): void;
}

/** Starts another program that gets this pid, which is free. */
export async function claimPid(pid: number, games: Games, role: string): Promise<Game> {
  const program = games.start('Claimer', ['claim', String(pid), games.file(games.name(role))]);
  await program.exited;
  const kill = () => process.kill(pid);
  return { pid, name: games.name(role), exited: Promise.resolve(), kill };
}
