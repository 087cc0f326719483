/** `service install` from outside, before a systemctl that is none, in a mount namespace with an /etc and a /run of its own. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { notOnlyRoots } from '../../src/cli/service/trusted-program.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const canMount = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;
const [NODE_IS_ROOTS, CLI_IS_ROOTS] = [process.execPath, CLI].map((file) => notOnlyRoots(file) === null);

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'playwarden-install-'));
});
afterEach(() => {
  const agent = join(root, 'data/agent.json');
  if (existsSync(agent)) process.kill(JSON.parse(readFileSync(agent, 'utf8')).pid, 'SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

/** `restart`: what systemctl does then, as a line for the shell. */
function install(restart: string, ...args: string[]) {
  return service(restart, 'install', '--data-dir', join(root, 'data'), ...args);
}

function service(restart: string, ...args: string[]) {
  const bin = join(root, 'bin');
  mkdirSync(bin);
  writeFileSync(
    join(bin, 'systemctl'),
    `#!/bin/sh\necho "$1" >> ${root}/calls\n[ "$1" = restart ] || exit 0\n${restart}\n`,
  );
  chmodSync(join(bin, 'systemctl'), 0o755);
  const own =
    'mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system && mount -t tmpfs tmpfs /etc/systemd/system';
  const script = `mkdir -p /etc/systemd/system && ${own} && exec "$@"`;
  const call = [process.execPath, CLI, 'service', ...args];
  const { status, stdout, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', script, 'sh', ...call], {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
  });
  return { status, stdout, stderr, called: existsSync(join(root, 'calls')) };
}

test.runIf(canMount)(
  'service uninstall of what was never installed says so, and calls for no removal',
  () => {
    const { status, stdout } = service('exit 0', 'uninstall');
    expect([status, stdout]).toEqual([
      0,
      'Nothing is installed: there is no systemd unit /etc/systemd/system/playwarden.service.\n',
    ]);
    expect(readFileSync(join(root, 'calls'), 'utf8')).toBe('show\n');
  },
);

describe.runIf(canMount && NODE_IS_ROOTS && CLI_IS_ROOTS)('service install', () => {
  test('says that the agent runs when it does', () => {
    const start = `"${process.execPath}" "${CLI}" run --port 0 --data-dir ${root}/data </dev/null >/dev/null 2>&1 &`;
    const { status, stdout, stderr } = install(start);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/is installed, and the agent runs\.\n$/);
  });

  test('a service whose agent does not come up is told, with where to look', { timeout: 60_000 }, () => {
    const { status, stdout, stderr } = install('exit 0');
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(
      /^The systemd unit .* is installed, but no agent came up within 15 s: .*journalctl.*\.\n$/,
    );
  });

  test.each([
    ['does not hold', '{ "profiles": 3 }', /^.*\/config\.json does not hold:\nprofiles: .*\n$/],
    ['is not there', null, /^.*\/config\.json does not hold:\n\$: the file cannot be read \(ENOENT\)\n$/],
  ])('a configuration that %s is told before anything is installed', (_how, text, said) => {
    const file = join(root, 'config.json');
    if (text !== null) writeFileSync(file, text);
    const { status, stderr, called } = install('exit 0', '--config', file);
    expect([status, called]).toEqual([78, false]);
    expect(stderr).toMatch(said);
  });
});
