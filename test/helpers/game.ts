/**
 * A game for tests: a real process under a name of the test's own, made by copying `sleep`. Ended by pid, and with
 * the test run at the latest.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SLEEP = '/bin/sleep';

export interface Game {
  readonly pid: number;
  readonly name: string;
  /** Settles when it has ended, by itself or not. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** A name that no other test and no other program uses; short enough for the kernel's 15 characters. */
export function uniqueGameName(prefix = 'pwgame'): string {
  return `${prefix}${randomBytes(4).toString('hex')}`.slice(0, 15);
}

export interface GameOptions {
  /** It lives so long at most. */
  readonly ms?: number;
  /** The account that plays; only root may choose one. */
  readonly uid?: number;
  /** It does not heed SIGTERM. */
  readonly stubborn?: boolean;
}

/** What a program ignores is ignored by the one that takes its place (execve(2)). */
const STUBBORN = ['/bin/sh', '-c', 'trap "" TERM; exec "$0" "$@"'];

/** Starts a process that calls itself `name`. */
export async function startGame(
  name: string,
  { ms = 60_000, uid, stubborn = false }: GameOptions = {},
): Promise<Game> {
  const folder = mkdtempSync(join(tmpdir(), 'playwarden-game-'));
  chmodSync(folder, 0o755);
  const file = join(folder, name);
  copyFileSync(SLEEP, file);
  chmodSync(file, 0o755);
  const [program = file, ...args] = [...(stubborn ? STUBBORN : []), file, String(ms / 1_000)];
  const child = spawn(program, args, { stdio: 'ignore', ...(uid !== undefined && { uid }) });
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('error', () => resolve({ code: null, signal: null }));
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  games.add(child);
  void exited.then(() => {
    games.delete(child);
    rmSync(folder, { recursive: true, force: true });
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  return {
    pid: child.pid ?? 0,
    name,
    exited,
    stop: async (signal = 'SIGTERM') => {
      child.kill(signal);
      await exited;
    },
  };
}

/** A configuration whose only game answers to `name`, with limits that do not come in the way. */
export function gameConfig(name: string, over: object = {}): object {
  return {
    games: [{ id: 'roblox', name: 'Roblox', match: [{ name }] }],
    profiles: { default_child: { daily_limit_minutes: null } },
    sessions: { rejoin_seconds: 0.5 },
    ...over,
  };
}

const games = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of games) child.kill('SIGKILL');
});
