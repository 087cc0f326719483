/** C5: what a user can mend, and what is no failure at all, is never a stack trace. */
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCli, STACK_TRACE } from '../helpers/cli.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'playwarden-failures-'));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

describe.runIf(process.platform !== 'win32')('C5: output that nobody takes', () => {
  /** The status of the command, whatever the shell does with its output. */
  const run = (line: string) => {
    const command = `"${process.execPath}" "${CLI}" ${line}`;
    const { status, stderr } = spawnSync('bash', ['-c', command], { encoding: 'utf8' });
    return { status, stderr };
  };

  test.each(['help', 'service install --print', 'config print'])('%s | true ends quietly', (args) => {
    const line = `${args} | { exec <&-; sleep 0.5; }; exit "\${PIPESTATUS[0]}"`;
    expect(run(line)).toEqual({ status: 0, stderr: '' });
  });

  test('a reader that takes its time, as a pager does, gets all of it', () => {
    const file = join(root, 'config.json');
    const unknown = Array.from({ length: 8_000 }, (_, n) => [`unknown key number ${n}`, n]);
    writeFileSync(file, JSON.stringify(Object.fromEntries(unknown)));
    const { status, stderr } = run(
      `config check "${file}" 2>&1 | { sleep 4; wc -l >&2; }; exit "\${PIPESTATUS[0]}"`,
    );
    expect({ status, lines: Number(stderr) }).toEqual({ status: 78, lines: 8_000 });
  });

  test.runIf(existsSync('/dev/full'))('a file on a full disk is told: 74, whatever the command found', () => {
    const stderr =
      'Standard output takes nothing (ENOSPC: no space left on device, write): what was printed is not whole.\n';
    expect(run('config print > /dev/full')).toEqual({ status: 74, stderr });
    expect(run(`doctor --data-dir "${root}" > /dev/full`)).toEqual({ status: 74, stderr });
  });
});

describe('C5: simulate', () => {
  test.each([1e300, -1e300, 600_000])(
    'a clock that is set by %d minutes is told with its path: 78',
    async (by) => {
      const file = join(root, 'scenario.json');
      const steps = [{ at: '10:00', clock_minutes: by }];
      writeFileSync(file, JSON.stringify({ starts: '2026-11-28T09:00', steps }));
      const { code, stderr } = await runCli(['simulate', '--scenario', file], { PLAYWARDEN_DATA_DIR: root });
      expect(code).toBe(78);
      expect(stderr).toContain('steps.0.clock_minutes: ');
      expect(stderr).not.toMatch(STACK_TRACE);
    },
  );
});

describe.runIf(process.getuid?.() === 0)('a data directory of another account', () => {
  const [OWNER, STRANGER] = [65_534, 65_533];
  let dir = '';
  beforeEach(() => {
    chmodSync(root, 0o711);
    dir = join(root, 'data');
    mkdirSync(dir, { mode: 0o700 });
    chownSync(dir, OWNER, OWNER);
  });

  const run = (uid: number, ...args: string[]) => {
    const line = [CLI, ...args, '--data-dir', dir];
    const { status, stdout, stderr } = spawnSync(process.execPath, line, { uid, cwd: '/', encoding: 'utf8' });
    return { status, stdout, stderr };
  };

  test.each([STRANGER, 0])('token rotate of uid %d advises nobody to take it from its agent', (uid) => {
    expect(run(uid, 'token', 'rotate')).toEqual({
      status: 78,
      stdout: '',
      stderr: `The data directory ${dir} belongs to another account (uid ${OWNER}): run this as that account.\n`,
    });
  });

  test('what asks the agent says that it may not look, and not that none runs', () => {
    expect(run(STRANGER, 'reload')).toEqual({
      status: 69,
      stdout: '',
      stderr: `No agent to talk to: this account may not read ${dir}/agent.json. Ask as the account of the agent.\n`,
    });
  });

  test('doctor has one finding there, with its remedy', () => {
    const { status, stdout } = run(STRANGER, 'doctor', '--json');
    expect(status).toBe(1);
    expect(JSON.parse(stdout).findings).toEqual([
      {
        check: 'agent',
        verdict: 'problem',
        said: `this account may not read ${dir}/agent.json`,
        remedy: 'ask as the account of the agent',
      },
    ]);
  });
});
