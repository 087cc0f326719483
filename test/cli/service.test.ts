/** The files of the service as text; the systemd unit also as systemd's own tools see it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { launchdPlist, readLaunchdStatus } from '../../src/cli/service/launchd.ts';
import type { ServiceProgram } from '../../src/cli/service/plan.ts';
import { readStartUpTask, startUpTask, startUpTaskPlan } from '../../src/cli/service/start-up-task.ts';
import { readSystemdStatus, systemdUnit } from '../../src/cli/service/systemd.ts';
import { notOnlyRoots } from '../../src/cli/service/trusted-program.ts';

const program: ServiceProgram = {
  node: realpathSync(process.execPath),
  cli: '/opt/playwarden/dist/cli.js',
  dataDir: '/var/lib/playwarden',
  config: null,
};

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'playwarden-service-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const noSystemd = spawnSync('systemd-analyze', ['--version']).status !== 0;
const WHY = 'systemd-analyze is not on this machine';

describe('the systemd unit', () => {
  const unit = systemdUnit(program);
  const value = (text: string, key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(text)?.[1];

  test('is started again for ever, as soon as may be', () => {
    expect(value(unit, 'Restart')).toBe('always');
    expect(value(unit, 'StartLimitIntervalSec')).toBe('0');
  });

  test('C6: keeps its data in /var/lib/playwarden, which the child may pass through', () => {
    expect(value(unit, 'StateDirectory')).toBe('playwarden');
    expect(value(unit, 'StateDirectoryMode')).toBe('0711');
    expect(value(unit, 'ReadWritePaths')).toBeUndefined();
  });

  test('another data directory is allowed by name', () => {
    const other = systemdUnit({ ...program, dataDir: '/srv/play warden' });
    expect(value(other, 'ReadWritePaths')).toBe('"/srv/play warden"');
    expect(value(other, 'StateDirectory')).toBeUndefined();
  });

  test('leaves the agent what it needs of root, and no more', () => {
    expect(value(unit, 'CapabilityBoundingSet')).toBe('CAP_NET_ADMIN CAP_KILL CAP_SYS_PTRACE');
    expect(value(unit, 'RestrictAddressFamilies')?.split(' ')).toContain('AF_NETLINK');
    for (const key of ['PrivateNetwork', 'PrivateUsers', 'ProtectProc', 'MemoryDenyWriteExecute'])
      expect(value(unit, key)).toBeUndefined();
  });

  test('C4: waits as long as a clean stop may take before it forces', () => {
    expect(Number(value(unit, 'TimeoutStopSec'))).toBeGreaterThan(5);
  });

  test('paths with signs that systemd reads are quoted', () => {
    const odd = systemdUnit({ ...program, cli: '/opt/50% "off"/$HOME/cli.js', config: '/etc/a b.json' });
    expect(value(odd, 'ExecStart')).toBe(
      `${program.node} "/opt/50%% \\"off\\"/$$HOME/cli.js" run --data-dir /var/lib/playwarden --config "/etc/a b.json"`,
    );
  });

  test('systemd-analyze verify finds nothing to say', ({ skip }) => {
    skip(noSystemd, WHY);
    const file = join(root, 'playwarden.service');
    writeFileSync(file, unit);
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], {
      encoding: 'utf8',
    });
    expect({ status, said: stdout + stderr }).toEqual({ status: 0, said: '' });
  });

  test('systemd-analyze security calls its exposure ok: 4.0 at most', ({ skip }) => {
    skip(noSystemd, WHY);
    const file = join(root, 'playwarden.service');
    writeFileSync(file, unit);
    const args = ['security', '--offline=true', '--no-pager', '--threshold=40', file];
    const { status, stdout } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
    expect(stdout.split('\n').find((line) => line.includes('Overall exposure level'))).toBeDefined();
    expect(status).toBe(0);
  });

  test('its state is read from systemctl show', () => {
    const shown = 'MainPID=412\nNRestarts=3\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n';
    expect(readSystemdStatus(shown)).toEqual({
      installed: true,
      running: true,
      enabled: true,
      pid: 412,
      restarts: 3,
    });
    const none = 'MainPID=0\nNRestarts=0\nLoadState=not-found\nActiveState=inactive\nUnitFileState=\n';
    expect(readSystemdStatus(none)).toEqual({
      installed: false,
      running: false,
      enabled: false,
      pid: null,
      restarts: 0,
    });
    expect(readSystemdStatus(null)).toMatchObject({ installed: false, restarts: null });
  });
});

/** Whether the text is well-formed XML, by Python's parser; null: there is no Python. */
function wellFormed(bytes: Buffer): boolean | null {
  const script = 'import sys, xml.dom.minidom as x; x.parseString(sys.stdin.buffer.read())';
  const { status, error } = spawnSync('python3', ['-c', script], { input: bytes });
  return error ? null : status === 0;
}

describe('the launchd daemon', () => {
  const plist = launchdPlist({ ...program, dataDir: '/Library/Application Support/Kim & Lou' });

  test('runs at load, is kept alive, one argument a string', () => {
    expect(plist).toMatch(/<key>RunAtLoad<\/key>\s*<true\/>/);
    expect(plist).toMatch(/<key>KeepAlive<\/key>\s*<true\/>/);
    expect(plist).toContain('<string>/Library/Application Support/Kim &amp; Lou</string>');
    expect(wellFormed(Buffer.from(plist))).not.toBe(false);
  });

  test('its state is read from launchctl print', () => {
    const printed = 'system/org.playwarden.agent = {\n\tstate = running\n\tpid = 77\n}';
    expect(readLaunchdStatus(printed)).toMatchObject({ installed: true, running: true, pid: 77 });
    expect(readLaunchdStatus(null)).toMatchObject({ installed: false, running: false, pid: null });
  });
});

describe('the start-up task', () => {
  const onWindows: ServiceProgram = {
    node: 'C:\\Program Files\\nodejs\\node.exe',
    cli: 'C:\\Program Files\\Playwarden\\dist\\cli.js',
    dataDir: 'C:\\ProgramData\\Playwarden',
    config: 'C:\\a&b\\config.json',
  };
  const xml = startUpTask(onWindows);

  test('runs as SYSTEM at boot, without an end, and comes back after a failure or a kill', () => {
    expect(xml).toContain('<UserId>S-1-5-18</UserId>');
    expect(xml).toContain('<BootTrigger>');
    expect(xml).toContain('<ExecutionTimeLimit>PT0S</ExecutionTimeLimit>');
    expect(xml).toMatch(/<RestartOnFailure>\s*<Interval>PT1M<\/Interval>/);
    expect(xml).toMatch(/<Repetition>\s*<Interval>PT1M<\/Interval>/);
    expect(xml).toContain('<MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>');
  });

  test('quotes as Windows programs split their command line', () => {
    expect(xml).toContain('<Command>"C:\\Program Files\\nodejs\\node.exe"</Command>');
    expect(xml).toContain(
      '<Arguments>"C:\\Program Files\\Playwarden\\dist\\cli.js" run --data-dir C:\\ProgramData\\Playwarden --config C:\\a&amp;b\\config.json</Arguments>',
    );
  });

  test('is UTF-16 with its mark, as schtasks wants it, and well-formed', () => {
    expect(startUpTaskPlan(onWindows).encoding).toBe('utf16le');
    const bytes = Buffer.from(xml, 'utf16le');
    expect([...bytes.subarray(0, 2)]).toEqual([0xff, 0xfe]);
    expect(wellFormed(bytes)).not.toBe(false);
  });

  test('its state is read from schtasks', () => {
    expect(readStartUpTask(xml)).toMatchObject({ installed: true, enabled: true });
    expect(readStartUpTask(null)).toMatchObject({ installed: false, enabled: false });
  });
});

describe.skipIf(process.platform === 'win32')('what runs as root is root’s alone', () => {
  test('a file in a folder that others may write in is told', () => {
    const file = join(root, 'cli.js');
    writeFileSync(file, '');
    execFileSync('chmod', ['777', root]);
    expect(notOnlyRoots(file)).toMatch(process.getuid?.() === 0 ? /Others may write/ : /another account/);
  });

  test.skipIf(process.getuid?.() !== 0)('a file of another account is told', () => {
    const file = join(root, 'cli.js');
    writeFileSync(file, '');
    execFileSync('chown', ['65534', file]);
    expect(notOnlyRoots(file)).toContain('uid 65534');
  });

  test('a file of the system is not', () => {
    expect(notOnlyRoots(realpathSync('/bin/sh'))).toBeNull();
  });
});
