/** Contract section 1, from outside: the built command line as a child process, its output and its exit codes. */
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DEFAULT_CONFIG } from '../../src/protocol/config.ts';
import { type Agent, type AgentOptions, startAgent } from '../helpers/agent.ts';
import { http } from '../helpers/http.ts';
import { type Frame, openRaw } from '../helpers/ws-client.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

let root = '';
let agents: Agent[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'playwarden-cli-'));
});
afterEach(async () => {
  await Promise.all(agents.map((agent) => agent.dispose()));
  agents = [];
  rmSync(root, { recursive: true, force: true });
});

async function agentOf(options: AgentOptions = {}): Promise<Agent> {
  const agent = await startAgent({ dataDir: join(root, 'data'), ...options });
  agents.push(agent);
  return agent;
}

/** Runs the command line to its end. */
function cli(
  args: string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [CLI, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), 50_000);
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
  });
}

function file(name: string, text: string | Buffer): string {
  const path = join(root, name);
  writeFileSync(path, text);
  return path;
}

const run = (...args: string[]) => cli(['run', '--port', '0', '--data-dir', join(root, 'data'), ...args]);

/** A line of stderr that looks like a stack trace. */
const STACK = /^\s+at .+:\d+:\d+/m;

describe('config', () => {
  test('print gives the whole default configuration, which check accepts', async () => {
    const printed = await cli(['config', 'print']);
    expect(printed.code).toBe(0);
    expect(JSON.parse(printed.stdout)).toEqual(DEFAULT_CONFIG);
    expect(await cli(['config', 'check', file('c.json', printed.stdout)])).toEqual({
      code: 0,
      stdout: 'ok\n',
      stderr: '',
    });
  });

  test('C9: check tells all three mistakes of a file, each as path: message, and ends with 78', async () => {
    const mistakes = { profiles: { kim: { daily_limit_minutes: -1, warn_minutes: [5, 5] } }, colour: 'red' };
    const { code, stderr } = await cli(['config', 'check', file('c.json', JSON.stringify(mistakes))]);
    expect(code).toBe(78);
    const lines = stderr
      .trim()
      .split('\n')
      .map((line) => line.split(': ')[0]);
    expect(lines.sort()).toEqual([
      'colour',
      'profiles.kim.daily_limit_minutes',
      'profiles.kim.warn_minutes.1',
    ]);
  });

  test.each([
    ['half a file', '{"games": ['],
    ['an empty file', ''],
    ['no object', '[]'],
    ['another encoding', Buffer.from('{"profiles":{"zoe":{"os_users":["Zo\xeb"]}}}', 'latin1')],
    ['UTF-16', Buffer.from('\uFEFF{}', 'utf16le')],
  ])('C9: %s ends with 78', async (_title, text) => {
    const { code, stderr } = await cli(['config', 'check', file('c.json', text)]);
    expect(code).toBe(78);
    expect(stderr).toMatch(/^\$: /);
  });

  test('check reads what the shell hands over, up to 1 MiB', async () => {
    const check = (from: string) =>
      spawnSync('sh', ['-c', `${from} | "$0" "$1" config check /dev/stdin`, process.execPath, CLI], {
        encoding: 'utf8',
      });
    expect(check('"$0" "$1" config print')).toMatchObject({ status: 0, stdout: 'ok\n' });
    const refused = check('head -c 2000000 /dev/zero');
    expect(refused).toMatchObject({ status: 78 });
    expect(refused.stderr).toContain('larger than 1 MiB');
  });
});

describe('C5: exit codes, and never a stack trace for what a user can mend', () => {
  test.each([
    ['an unknown command', ['dance'], 64],
    ['an empty directory', ['run', '--data-dir', ''], 64],
    ['an empty configuration', ['run', '--config', ''], 64],
    ['an unknown option', ['run', '--fast'], 64],
    ['a port that is none', ['run', '--port', 'http'], 64],
    ['a port out of range', ['run', '--port', '65536'], 64],
    ['a host that is not loopback', ['run', '--host', '0.0.0.0'], 64],
    ['a log level that is none', ['run', '--log-level', 'loud'], 64],
    ['no command', [], 64],
    ['help', ['--help'], 0],
    ['the version', ['--version'], 0],
  ])('%s: %o ends with %i', async (_title, args, code) => {
    const result = await cli(args, { PLAYWARDEN_DATA_DIR: join(root, 'data') });
    expect(result.code).toBe(code);
    expect(result.stderr).not.toMatch(STACK);
    expect(existsSync(join(root, 'data'))).toBe(false);
  });

  test('an invalid configuration ends with 78 and every problem', async () => {
    const result = await run('--config', file('c.json', '{"a":1,"b":2}'));
    expect(result).toMatchObject({ code: 78, stdout: '' });
    expect(result.stderr).toMatch(/a: .*\nb: /);
    expect(result.stderr).not.toMatch(STACK);
  });

  test('a configuration that is not there ends with 78', async () => {
    expect((await run('--config', join(root, 'nowhere.json'))).code).toBe(78);
  });

  test('a data directory that others may write in ends with 78', async () => {
    mkdirSync(join(root, 'data'));
    chmodSync(join(root, 'data'), 0o777);
    expect((await run()).code).toBe(78);
  });

  test('a config.json in the data directory that everybody may write in ends with 78', async () => {
    mkdirSync(join(root, 'data'), { mode: 0o700 });
    chmodSync(file('data/config.json', '{}'), 0o666);
    const result = await run();
    expect(result.code).toBe(78);
    expect(result.stderr).toMatch(/chmod 644/);
  });

  test.runIf(process.getuid?.() === 0)(
    'a config.json in the data directory that belongs to another account ends with 78',
    async () => {
      mkdirSync(join(root, 'data'), { mode: 0o700 });
      chownSync(file('data/config.json', '{}'), 12_345, 12_345);
      const result = await run();
      expect(result.code).toBe(78);
      expect(result.stderr).toMatch(/chown 0/);
    },
  );

  test('a config.json that is a link to nowhere ends with 78: what the parent wrote is not at hand', async () => {
    mkdirSync(join(root, 'data'), { mode: 0o700 });
    symlinkSync(join(root, 'unplugged/config.json'), join(root, 'data/config.json'));
    expect(await run()).toMatchObject({ code: 78, stderr: expect.stringContaining('ENOENT') });
  });

  test.runIf(process.platform === 'linux')('a data directory that cannot be made ends with 78', async () => {
    const result = await cli(['run', '--port', '0', '--data-dir', '/proc/playwarden/data']);
    expect(result).toMatchObject({ code: 78, stderr: expect.stringContaining('--data-dir') });
  });

  test('a file in the place of the data directory is what is told', async () => {
    file('data', '');
    const result = await run();
    expect(result.code).toBe(78);
    expect(result.stderr).toContain('name another with --data-dir');
  });

  test('a control token that others can read ends with 78 and the command that mends it', async () => {
    mkdirSync(join(root, 'data'), { mode: 0o700 });
    writeFileSync(join(root, 'data/control.token'), 'x'.repeat(43), { mode: 0o644 });
    const result = await run();
    expect(result.code).toBe(78);
    expect(result.stderr).toContain('chmod 600');
  });

  test.each(['127.0.0.1', '::1'])(
    'S1: a port that is taken on %s ends with 69 and names it',
    async (host) => {
      const [taken, port] = await takePort(host);
      const result = await cli(['run', '--port', String(port), '--data-dir', join(root, 'data')]);
      await new Promise((resolve) => taken.close(resolve));
      expect(result.code).toBe(69);
      expect(result.stderr).toContain(String(port));
      expect(result.stderr).not.toMatch(STACK);
    },
  );

  test('a second agent on the same data directory ends with 75, the first goes on', async () => {
    const first = await agentOf();
    const second = await run();
    expect(second.code).toBe(75);
    expect(second.stderr).not.toMatch(STACK);
    expect((await http({ url: first.url, path: '/health' })).status).toBe(200);
  });

  test('reload without an agent says so', async () => {
    const result = await cli(['reload', '--data-dir', join(root, 'data')]);
    expect(result.code).toBe(69);
    expect(result.stderr).toContain('No agent');
  });
});

function takePort(host: string): Promise<[Server, number]> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, host, () => {
      const address = server.address();
      resolve([server, typeof address === 'object' && address ? address.port : 0]);
    });
  });
}

describe('C2, C3: ready', () => {
  test('one line on stdout, agent.json at the same moment, logs as JSON lines on stderr', async () => {
    const agent = await agentOf();
    const { dataDir, port } = agent;
    const about = agent.json();
    expect(agent.stdout).toBe(
      `playwarden ready http://127.0.0.1:${port} token-file=${join(dataDir, 'control.token')} source=${about.source}\n`,
    );
    expect(['proc-events', 'procfs', 'toolhelp', 'ps-list']).toContain(about.source);
    expect(about).toMatchObject({
      pid: agent.pid,
      port,
      agent_id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/),
      token_file: join(dataDir, 'control.token'),
      view_token_file: join(dataDir, 'view.token'),
    });
    for (const line of agent.stderr.trim().split('\n').filter(Boolean))
      expect(JSON.parse(line)).toHaveProperty('msg');
  });

  test('C6: the files have the modes that the contract says', async () => {
    const agent = await agentOf();
    const modes = Object.fromEntries(
      readdirSync(agent.dataDir).map((name) => [name, statSync(join(agent.dataDir, name)).mode & 0o777]),
    );
    const { 'agent.json': about, 'view.token': view, ...others } = modes;
    expect([about, view]).toEqual([0o644, 0o644]);
    for (const [name, mode] of Object.entries(others)) expect([name, mode]).toEqual([name, 0o600]);
    expect(Object.keys(modes).filter((name) => name.endsWith('.db')).length).toBeGreaterThan(0);
  });

  test('C1: environment variables name the configuration and the directory, a flag wins', async () => {
    const config = file('env.json', '{"profiles":{"kim":{}}}');
    const env = { PLAYWARDEN_CONFIG: config, PLAYWARDEN_DATA_DIR: join(root, 'elsewhere') };
    const agent = await agentOf({ env });
    const status = await http({ url: agent.url, path: '/desktop/status', token: agent.token('view') });
    expect(Object.keys(status.json.children)).toEqual(['kim']);
    expect(existsSync(join(root, 'elsewhere'))).toBe(false);
  });

  test('C1: DATA_DIR/config.json is read if it is there', async () => {
    mkdirSync(join(root, 'data'), { mode: 0o700 });
    writeFileSync(join(root, 'data/config.json'), '{"profiles":{"lou":{}}}');
    const agent = await agentOf();
    const status = await http({ url: agent.url, path: '/desktop/status', token: agent.token('view') });
    expect(Object.keys(status.json.children)).toEqual(['lou']);
  });

  test('the agent id stays over restarts', async () => {
    const agent = await agentOf();
    const before = agent.json().agent_id;
    await agent.restart();
    expect(agent.json().agent_id).toBe(before);
  });
});

describe('C4: stopping and reloading', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s stops it cleanly within 5 s: exit 0, agent.json gone',
    async (signal) => {
      const agent = await agentOf();
      const client = await openRaw({ url: agent.url, token: agent.token('view') });
      const waiting = http({
        url: agent.url,
        path: '/desktop/events/poll?client_id=w&wait=25',
        token: agent.token('view'),
      });
      await waiting.then((first) => first.json);
      const asked = performance.now();
      agent.signal(signal);
      expect(await agent.exited).toEqual({ code: 0, signal: null });
      expect(performance.now() - asked).toBeLessThan(5_000);
      expect((await client.closed).code).toBe(4005);
      expect((await waiting).json).toMatchObject({ status: 'success' });
      expect(existsSync(join(agent.dataDir, 'agent.json'))).toBe(false);
    },
  );

  test('a reload takes the new configuration and tells it', async () => {
    const agent = await agentOf({ config: { profiles: { kim: {} } } });
    agent.writeConfig({ profiles: { kim: {}, lou: { os_users: ['lou'] } } });
    const told = nextEvent(agent, 'config_reloaded');
    expect((await cli(['reload', '--data-dir', agent.dataDir])).code).toBe(0);
    await told;
    const status = await http({ url: agent.url, path: '/desktop/status', token: agent.token('view') });
    expect(Object.keys(status.json.children).sort()).toEqual(['kim', 'lou']);
  });

  test('a configuration that does not hold is refused and told, the last good one stays', async () => {
    const agent = await agentOf({ config: { profiles: { kim: {} } } });
    agent.writeConfig({ profiles: { kim: { daily_limit_minutes: -1 } } });
    const told = nextEvent(agent, 'config_rejected');
    agent.signal('SIGHUP');
    expect((await told).data.problems).toEqual([
      { path: 'profiles.kim.daily_limit_minutes', message: expect.any(String) },
    ]);
    const status = await http({ url: agent.url, path: '/desktop/status', token: agent.token('view') });
    expect(Object.keys(status.json.children)).toEqual(['kim']);
    expect(agent.stderr).toContain('refused');
  });

  test('section 5: a configuration with more problems than 64 KiB hold is told with those that fit', async () => {
    const agent = await agentOf({ config: {} });
    agent.writeConfig(Object.fromEntries(Array.from({ length: 4_000 }, (_, i) => [`k${i}`, 1])));
    const told = nextEvent(agent, 'config_rejected');
    agent.signal('SIGHUP');
    const event = await told;
    const { message, problems, problems_left_out } = event.data;
    expect(message).toContain('4000 problems');
    expect(problems.length + problems_left_out).toBe(4_000);
    expect(problems.length).toBeGreaterThan(500);
    expect(JSON.stringify(event).length).toBeLessThan(64 * 1024);
  });

  test('token files that cannot be trusted are refused on a reload and told, the old tokens stay', async () => {
    const agent = await agentOf({ config: {} });
    const told = nextEvent(agent, 'config_rejected');
    chmodSync(join(agent.dataDir, 'control.token'), 0o644);
    agent.signal('SIGHUP');
    expect((await told).data.problems).toEqual([
      { path: '$', message: expect.stringContaining('chmod 600') },
    ]);
    expect(agent.stderr).not.toMatch(/"stack"/);
  });

  test('the port cannot be reloaded, and that is told', async () => {
    const agent = await agentOf({ config: {}, args: [] });
    agent.writeConfig({ desktop_client: { websocket: { host: '::1' } } });
    const told = nextEvent(agent, 'config_reloaded');
    agent.signal('SIGHUP');
    expect((await told).data.not_reloaded).toEqual(['host']);
  });

  test('S5: require_token false opens everything and is told as a warning at the start', async () => {
    const agent = await agentOf({ config: { security: { require_token: false } } });
    expect((await http({ url: agent.url, path: '/desktop/status' })).status).toBe(200);
    expect(agent.stderr).toContain('require_token');
  });
});

/** Waits over a WebSocket for an agent_event of this kind. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into events whose shape is what they check
async function nextEvent(agent: Agent, kind: string): Promise<any> {
  const client = await openRaw({ url: agent.url, token: agent.token('view') });
  const event = await client.next((frame: Frame) => frame.event_type === kind);
  client.close();
  return event;
}
