/** The demo's surroundings: an agent of its own on a free port, a game of its own, and their removal afterwards. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, constants, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const READY_MS = 15_000;
/** An agent that has not stopped by then is ended, ms. */
const STOP_MS = 6_000;
const GAME = 'RobloxPlayerBeta.exe';

export interface Stage {
  readonly dataDir: string;
  /** The agent's own line; rejects when it does not get ready. */
  readonly ready: Promise<string>;
  /** Starts the game; resolves with its pid and the moment before it was started (performance.now). */
  startGame(): Promise<{ readonly pid: number; readonly startedAt: number; stop(): void }>;
  /** Ends what was started and removes every file, at any moment and once. */
  clear(): Promise<void>;
}

/** Sets the stage; from now on it is there to be cleared, though the agent only starts. */
export function setStage(): Stage {
  const root = mkdtempSync(join(tmpdir(), 'playwarden-demo-'));
  const dataDir = join(root, 'data');
  const game = copyGame(root);
  // Matched by its path: a real Roblox on this machine is not the demo's business.
  const config = {
    games: [{ id: 'roblox', name: 'Roblox', match: [{ path: `${root}/*${GAME}` }] }],
    sessions: { rejoin_seconds: 1 },
    enforcement: { close_wait_seconds: 2 },
  };
  const file = join(root, 'config.json');
  writeFileSync(file, JSON.stringify(config));
  const cli = fileURLToPath(new URL('./cli.js', import.meta.url));
  const args = [cli, 'run', '--port', '0', '--config', file, '--data-dir', dataDir, '--log-level', 'warn'];
  const agent = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const games = new Set<ChildProcess>();

  let cleared: Promise<void> | null = null;

  async function clear(): Promise<void> {
    for (const child of games) child.kill('SIGKILL');
    if (agent.exitCode === null && agent.signalCode === null) {
      const exit = new Promise((resolve) => agent.once('exit', resolve));
      const timer = setTimeout(() => agent.kill('SIGKILL'), STOP_MS);
      agent.kill('SIGTERM');
      await exit;
      clearTimeout(timer);
    }
    rmSync(root, { recursive: true, force: true });
  }
  return {
    dataDir,
    ready: firstLine(agent),
    startGame: () => (cleared ? Promise.reject(new Error('the demo is over')) : startGame(game, games)),
    clear() {
      cleared ??= clear();
      return cleared;
    },
  };
}

/** A real program under the game's name: a copy of Node, which every machine that runs this has. */
function copyGame(root: string): string {
  const file = join(root, GAME);
  copyFileSync(process.execPath, file, constants.COPYFILE_FICLONE);
  chmodSync(file, 0o755);
  return file;
}

async function startGame(file: string, games: Set<ChildProcess>) {
  const startedAt = performance.now();
  const child = spawn(file, ['-e', 'setTimeout(() => {}, 60_000)'], { stdio: 'ignore' });
  games.add(child);
  child.once('exit', () => games.delete(child));
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  return { pid: child.pid ?? 0, startedAt, stop: () => child.kill('SIGTERM') };
}

function firstLine(agent: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const timer = setTimeout(
      () => reject(new Error(`the agent was not ready within ${READY_MS} ms`)),
      READY_MS,
    );
    agent.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const end = text.indexOf('\n');
      if (end < 0) return;
      clearTimeout(timer);
      resolve(text.slice(0, end));
    });
    agent.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`the agent ended with code ${code} before it was ready`));
    });
  });
}
