/** C5: what a user can mend, and what is no failure at all, is never a stack trace. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
