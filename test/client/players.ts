/** Players of some games at once: real processes, which make hundreds of events a second in a real agent. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { uniqueGameName } from '../helpers/game.ts';

const SOURCE = fileURLToPath(new URL('./fixtures/players.c', import.meta.url));

export class Players {
  readonly names: readonly string[];
  readonly #dir = mkdtempSync(join(tmpdir(), 'playwarden-players-'));
  #child: ChildProcess | null = null;

  constructor(games: number) {
    this.names = Array.from({ length: games }, () => uniqueGameName('pwplay'));
  }

  /** A configuration in which each of them is a game of its own, whose play ends with its process. */
  config(over: object): object {
    return {
      games: this.names.map((name) => ({ id: name, name, match: [{ name }] })),
      profiles: { default_child: { daily_limit_minutes: null } },
      sessions: { rejoin_seconds: 0 },
      ...over,
    };
  }

  /** Each game is played for 1 to 2 × `playMs`, again and again, and rests `restMs` in between. */
  start({ playMs, restMs }: { readonly playMs: number; readonly restMs: number }): void {
    const program = join(this.#dir, 'players');
    execFileSync('gcc', ['-O1', SOURCE, '-o', program]);
    const games = this.names.map((name) => join(this.#dir, name));
    for (const game of games) copyFileSync(program, game);
    const args = [String(playMs), String(restMs), ...games];
    this.#child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    process.once('exit', this.#kill);
  }

  /** Settles when nobody plays any more. */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (!child) return;
    process.off('exit', this.#kill);
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    rmSync(this.#dir, { recursive: true, force: true });
  }

  readonly #kill = (): void => {
    this.#child?.kill('SIGKILL');
  };
}
