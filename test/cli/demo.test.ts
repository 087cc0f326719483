/** The demo, when somebody has seen enough: no agent, no game and no file is left behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const DEMO = fileURLToPath(new URL('../../dist/demo.js', import.meta.url));

let root = '';
let demo: ChildProcess;
let said = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'playwarden-interrupted-'));
  said = '';
  demo = spawn(process.execPath, [DEMO], { env: { ...process.env, TMPDIR: root }, stdio: 'pipe' });
  for (const output of [demo.stdout, demo.stderr])
    output?.setEncoding('utf8').on('data', (text) => {
      said += text;
    });
});
afterEach(() => {
  demo.kill('SIGKILL');
  for (const pid of playersOf(root)) process.kill(pid, 'SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

/** The processes whose command line names this folder. */
function playersOf(folder: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    const file = `/proc/${pid}/cmdline`;
    try {
      return pid !== process.pid && existsSync(file) && readFileSync(file, 'utf8').includes(folder);
    } catch {
      return false;
    }
  });
}

describe.runIf(process.platform === 'linux')('an interrupted demo', () => {
  test.each([
    ['SIGINT', 130, 'while the agent starts', () => readdirSync(root).length > 0],
    ['SIGTERM', 143, 'while the client is connected', () => said.includes('is connected')],
    ['SIGINT', 130, 'at the end', () => said.includes('goes away')],
  ] as const)(
    '%s ends it with %d and leaves nothing: %s',
    async (signal, code, _when, reached) => {
      const exit = once(demo, 'exit');
      await expect.poll(reached, { timeout: 30_000, interval: 20 }).toBe(true);
      demo.kill(signal);
      expect(await exit).toEqual([code, null]);
      expect(said).not.toContain('failed');
      expect(playersOf(root)).toEqual([]);
      expect(readdirSync(root)).toEqual([]);
    },
    60_000,
  );
});
