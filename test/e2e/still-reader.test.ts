/** C2, C4: whoever reads the log may stand still: a pipe to a program that hangs, a terminal that is stopped. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Agent, startAgent } from '../helpers/agent.ts';

/** Each is a line of some KB: far more than a pipe, a terminal and the agent keep together. */
const REFUSALS = 100;
const STOP_MS = 5_000;

let folder = '';
let pipe = '';
let reader = -1;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'playwarden-still-'));
  pipe = join(folder, 'log');
  execFileSync('mkfifo', [pipe]);
  reader = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
});
afterEach(() => {
  closeSync(reader);
  rmSync(folder, { recursive: true, force: true });
});

/** What stands in the pipe. */
function read(): string {
  const block = Buffer.alloc(65_536);
  for (let text = ''; ; ) {
    try {
      text += block.toString('latin1', 0, readSync(reader, block));
    } catch {
      return text;
    }
  }
}

async function lastOffset(agent: Agent): Promise<number> {
  const headers = { Authorization: `Bearer ${agent.token('view')}` };
  const answer = await fetch(`${agent.url}/desktop/status`, { headers, signal: AbortSignal.timeout(5_000) });
  return ((await answer.json()) as { readonly last_offset: number }).last_offset;
}

/** Has the agent log until nothing more can be taken; fails when it does not answer any more. */
async function logMuch(agent: Agent): Promise<void> {
  const unknown = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`unknown key number ${n}`, n]));
  agent.writeConfig(unknown);
  for (let n = 0; n < REFUSALS; n += 1) {
    const before = await lastOffset(agent);
    process.kill(agent.json().pid, 'SIGHUP');
    await expect.poll(() => lastOffset(agent), { interval: 5 }).toBeGreaterThan(before);
  }
}

describe('a log that nobody reads does not hold the agent', () => {
  test('a pipe: the agent serves and stops; a reader that comes back gets all that was not counted as lost', async () => {
    const command = ['sh', '-c', 'exec "$0" "$@" 2>"$LOG"', process.execPath];
    const agent = await startAgent({ config: {}, env: { LOG: pipe }, command });
    try {
      await logMuch(agent);
      let text = '';
      await expect.poll(() => (text += read())).toMatch(/"lost":\d+.*\n/);
      agent.signal('SIGTERM');
      expect((await agent.exited).code).toBe(0);
      text += read();
      const lines = text.trimEnd().split('\n');
      const told = lines.map((line) => JSON.parse(line) as { readonly lost?: number; readonly msg: string });
      const refused = told.filter(({ msg }) => /the configuration was refused/.test(msg)).length;
      expect(refused + (told.find(({ lost }) => lost)?.lost ?? 0)).toBe(REFUSALS);
      expect(told.at(-1)?.msg).toBe('session stopped');
    } finally {
      await agent.dispose();
    }
  });

  test('a pipe that is still not read at the end: it stops within its time', async () => {
    const command = ['sh', '-c', 'exec "$0" "$@" 2>"$LOG"', process.execPath];
    const agent = await startAgent({ config: {}, env: { LOG: pipe }, command });
    try {
      await logMuch(agent);
      const from = performance.now();
      expect(await agent.stop()).toBe(0);
      expect(performance.now() - from).toBeLessThan(STOP_MS);
    } finally {
      await agent.dispose();
    }
  });

  const hasTerminals = spawnSync('script', ['--version']).status === 0;
  test.runIf(hasTerminals)(
    'a terminal, whose writer waits: it serves, and stops within its time',
    async () => {
      // `script` stands still itself, and reads the terminal no more, when nobody reads what it copies into the pipe.
      const wrapper = join(folder, 'in-terminal');
      const typed = 'exec $NODE $* >&9 9>&-';
      writeFileSync(wrapper, `exec 9>&1; exec script -qfec "${typed}" /dev/null >"$LOG" 2>&1 </dev/null`);
      const env = { LOG: pipe, NODE: process.execPath };
      const agent = await startAgent({ config: {}, env, command: ['sh', wrapper] });
      const { pid } = agent.json();
      try {
        await logMuch(agent);
        const from = performance.now();
        process.kill(pid, 'SIGTERM');
        await expect.poll(() => isGone(pid), { interval: 20 }).toBe(true);
        expect(performance.now() - from).toBeLessThan(STOP_MS);
      } finally {
        read();
        await agent.dispose();
      }
    },
  );
});

/** Ended, be it that its parent, which stands still, has not asked how. */
function isGone(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return true;
  }
}
