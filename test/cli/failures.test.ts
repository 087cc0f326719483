/** C5: what a user can mend, and what is no failure at all, is never a stack trace. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openStore } from '../../src/store/open.ts';
import { runCli, STACK_TRACE } from '../helpers/cli.ts';
import { FakeClock } from '../helpers/fake-clock.ts';

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

test('C5: a data directory with a path too long for a database is told: 78', async () => {
  const dir = join(root, ...Array<string>(6).fill('d'.repeat(100)));
  const { code, stderr } = await runCli(['run', '--port', '0', '--data-dir', dir]);
  expect(code).toBe(78);
  expect(stderr).toBe(
    `The path of the data directory ${dir} is too long for its database (${dir.length} bytes): name one of at most 470 with --data-dir.\n`,
  );
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

  /** What a start says, and what stands in the directory before and after it. */
  const start = () => {
    const before = readdirSync(dir).sort();
    const told = run(OWNER, 'run', '--port', '0');
    return { ...told, left: readdirSync(dir).filter((name) => !before.includes(name)) };
  };
  const closed = (file: string) => {
    const stderr = `This account may not read and write ${file}: run "chmod 600 ${file}".\n`;
    return { status: 78, stdout: '', stderr };
  };

  test('a lock.db that its own account may not open is told with the command that mends it', () => {
    const file = join(dir, 'lock.db');
    writeFileSync(file, '', { mode: 0 });
    chownSync(file, OWNER, OWNER);
    const { left, ...told } = start();
    expect(told).toEqual(closed(file));
    expect(left).toEqual([]);
  });

  test.each(['playwarden.db', 'store.key', 'high-water'])(
    'so is such a %s, which is not taken for damage',
    async (name) => {
      await openStore({ dir, clock: new FakeClock(), bootId: 'boot-1' }).close();
      for (const each of readdirSync(dir)) chownSync(join(dir, each), OWNER, OWNER);
      chmodSync(join(dir, name), 0);
      const { left, ...told } = start();
      expect(told).toEqual(closed(join(dir, name)));
      expect(left.filter((each) => !/^(lock\.db|.*\.token)$/.test(each))).toEqual([]);
    },
  );

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
