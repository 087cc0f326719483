/** The commands beside `run`, from outside: the built command line and a real agent. */
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { gameConfig, startGame, uniqueGameName } from '../helpers/game.ts';
import { http } from '../helpers/http.ts';
import { ownFolder } from '../helpers/own-folder.ts';

const { inFolder, agentOf, cli } = ownFolder();

describe('without an agent', () => {
  test.each([['report'], ['doctor']])('%s says so, without a stack trace', async (command) => {
    const { code, stdout, stderr } = await cli(command);
    expect(code).not.toBe(0);
    expect(stdout + stderr).toMatch(/no agent/i);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(existsSync(inFolder('data'))).toBe(false);
  });

  test.each([
    [['report', '--from', '2026-02-30']],
    [['report', '--week', '--from', '2026-02-01']],
    [['parent-key', 'add']],
    [['service', 'start']],
  ])('%o is a mistake of usage: 64', async (args) => {
    expect((await cli(...args)).code).toBe(64);
  });
});

describe('report', () => {
  test('tells a play with its times, plain where nobody looks', async () => {
    const name = uniqueGameName();
    const agent = await agentOf({ config: gameConfig(name) });
    const game = await startGame(name);
    const token = agent.token('view');
    const status = () => http({ url: agent.url, path: '/desktop/status', token });
    await expect.poll(async () => (await status()).json.children.default_child.playing).toBe(true);

    const text = await cli('report', '--week');
    expect(text).toMatchObject({ code: 0, stderr: '' });
    expect(text.stdout).toMatch(/^default_child, /);
    expect(text.stdout).toMatch(/Sessions.*\n\w{3} \d\d \w{3} {2}\d\d:\d\d–now {2}roblox/);
    expect(text.stdout).not.toContain('\u001b');

    const { days } = JSON.parse((await cli('report', '--json')).stdout);
    expect(days).toHaveLength(7);
    expect(days[6]).toMatchObject({ child_profile: 'default_child', sessions: [{ game: 'roblox' }] });
    await game.stop();
  });

  test("T2: times are those of the zone whose days are told, which is named where it is not the reader's", async () => {
    const name = uniqueGameName();
    const zone = 'Pacific/Kiritimati';
    const agent = await agentOf({ config: gameConfig(name, { day: { time_zone: zone } }) });
    const game = await startGame(name);
    const token = agent.token('view');
    const status = () => http({ url: agent.url, path: '/desktop/status', token });
    await expect.poll(async () => (await status()).json.children.default_child.playing).toBe(true);

    const { stdout } = await cli('report');
    const { days, time_zone } = JSON.parse((await cli('report', '--json')).stdout);
    await game.stop();
    expect(time_zone).toBe(zone);
    const began = new Date(days[6].sessions[0].time_start);
    const there = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: '2-digit', minute: '2-digit' });
    expect(stdout).toContain(`Sessions, by the clock of ${zone}\n`);
    expect(stdout).toContain(`  ${there.format(began)}–now`);
  });

  test('a child that nobody has is told, with those there are', async () => {
    await agentOf({ config: { profiles: { kim: {} } } });
    const { code, stderr } = await cli('report', '--child', 'lou');
    expect(code).toBe(1);
    expect(stderr).toMatch(/lou[\s\S]*kim/);
  });

  test('a range of days is what was asked for', async () => {
    await agentOf();
    const { stdout } = await cli('report', '--from', '2026-01-30', '--to', '2026-02-02', '--json');
    const days = JSON.parse(stdout).days.map((day: { day: string }) => day.day);
    expect(days).toEqual(['2026-01-30', '2026-01-31', '2026-02-01', '2026-02-02']);
  });
});

describe('simulate', () => {
  const scenario = (name: string) =>
    fileURLToPath(new URL(`../../examples/scenarios/${name}.json`, import.meta.url));
  const config = (value: object) => {
    const file = inFolder('config.json');
    writeFileSync(file, JSON.stringify(value));
    return ['--config', file];
  };

  test('tells a Saturday line by line, and why the game was closed; no agent is asked', async () => {
    const { code, stdout, stderr } = await cli('simulate', ...config({}), '--scenario', scenario('saturday'));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/Sat 28 Nov\n {2}09:30:00 {2}▸ roblox is started\n/);
    expect(stdout).toMatch(/11:45:36 {2}✕ Roblox was closed at 11:45: .*15 extra minutes included/);
    expect(stdout).toMatch(/default_child, Sat 28 November 2026[\s\S]*2 h 16 min/);
    expect(existsSync(inFolder('data'))).toBe(false);
  });

  test('--json gives events, usage and the end as data', async () => {
    const args = [...config({}), '--scenario', scenario('saturday'), '--json'];
    const told = JSON.parse((await cli('simulate', ...args)).stdout);
    expect(told.events[0]).toMatchObject({ at: '2026-11-28T09:30:00', kind: 'scenario', what: 'start' });
    expect(told.usage).toContainEqual(expect.objectContaining({ day: '2026-11-28', game: 'roblox' }));
    expect(told.status.children.default_child.playing).toBe(false);
  });

  test('a scenario that does not hold is 78, every problem with its path', async () => {
    const file = inFolder('scenario.json');
    writeFileSync(
      file,
      '{"starts":"2026-11-28T09:00","steps":[{"at":"25:00","start":"roblox"},{"at":"10:00"}]}',
    );
    const { code, stderr } = await cli('simulate', ...config({}), '--scenario', file);
    expect(code).toBe(78);
    expect(stderr).toMatch(/steps\.0\.at: [\s\S]*steps\.1\.\$?: /);
  });

  test('no scenario is 64, one that is not there and a configuration that does not hold are 78', async () => {
    expect((await cli('simulate')).code).toBe(64);
    expect((await cli('simulate', ...config({}), '--scenario', inFolder('none.json'))).code).toBe(78);
    expect((await cli('simulate', ...config({ a: 1 }), '--scenario', scenario('saturday'))).code).toBe(78);
  });
});

interface Found {
  readonly ok: boolean;
  readonly findings: readonly {
    readonly check: string;
    readonly verdict: string;
    readonly said: string;
    readonly remedy?: string;
  }[];
}

describe('doctor', () => {
  const look = async () => {
    const { code, stdout } = await cli('doctor', '--json');
    const { ok, findings }: Found = JSON.parse(stdout);
    return { code, ok, problems: findings.filter((f) => f.verdict === 'problem'), findings };
  };

  test('finds a running agent well, but for the service of the machine', async () => {
    await agentOf();
    const { findings, problems } = await look();
    expect(findings.map((f) => f.check)).toEqual([
      'agent',
      'health',
      'token files',
      'data directory',
      'account',
      'clock',
      'database',
      'detection',
      'delivery',
      'self-test',
      'service',
    ]);
    expect(problems.filter((f) => f.check !== 'service')).toEqual([]);
  });

  test('its self-test is detected, closed and reported, and counts for no child', async () => {
    const agent = await agentOf();
    const beside = await agentOf({ dataDir: inFolder('beside') });
    const { findings } = await look();
    expect(findings.find((f) => f.check === 'self-test')).toMatchObject({ verdict: 'ok' });
    const get = (by: typeof agent, path: string) => http({ url: by.url, path, token: by.token('view') });
    const told = async (by: typeof agent) => {
      const { events } = (await get(by, '/desktop/events/poll?client_id=oracle&after=0')).json;
      return events.filter((e: { type: string }) => e.type !== 'agent_event');
    };
    const events = await told(agent);
    expect(events.map((e: { event_type: string }) => e.event_type)).toEqual(['game_started', 'game_stopped']);
    for (const { data } of events) expect(data).toMatchObject({ child_profile: null });
    expect((await get(agent, '/desktop/status')).json.children.default_child.used_minutes_today).toBe(0);
    expect(await told(beside)).toEqual([]);
  });

  test('tells a token file with too many rights, and ends with 1', async () => {
    await agentOf();
    chmodSync(inFolder('data/control.token'), 0o644);
    const { code, ok, problems } = await look();
    expect([code, ok]).toEqual([1, false]);
    expect(problems[0]).toMatchObject({ check: 'token files', remedy: expect.stringContaining('chmod 600') });
  });

  test('C6: a data directory that others could replace is told: in one line of the log, and here', async () => {
    const above = inFolder('above');
    mkdirSync(above);
    chmodSync(above, 0o777);
    const dataDir = join(above, 'data');
    const agent = await agentOf({ dataDir });
    const said = `others may write in ${above}, so the data directory ${dataDir} could be replaced as a whole`;
    const remedy = `run "chmod go-w ${above}" or name a place below folders of root with --data-dir`;
    const lines = agent.stderr.split('\n').filter((line) => line.includes('replaced as a whole'));
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ level: 40, msg: `${said}: ${remedy}` }]);

    const place = { check: 'data directory', verdict: 'problem', said, remedy };
    const found = async () =>
      JSON.parse((await cli('doctor', '--json', '--data-dir', dataDir)).stdout).findings;
    expect(await found()).toContainEqual(place);
    await agent.stop();
    expect(await found()).toContainEqual(place);
  });

  test.each([
    ['control', 'is empty', '', 'playwarden token rotate'],
    ['view', 'is empty', '', 'playwarden token rotate'],
    ['control', 'holds another token than the agent has', 'A'.repeat(43), 'playwarden reload'],
    ['view', 'holds another token than the agent has', 'A'.repeat(43), 'playwarden reload'],
  ])('tells when %s.token %s: no client of that file gets in', async (kind, _how, text, remedy) => {
    await agentOf();
    writeFileSync(inFolder(`data/${kind}.token`), text);
    const { code, problems } = await look();
    expect(code).toBe(1);
    expect(problems.find((f) => f.check === 'token files')).toMatchObject({
      said: expect.stringContaining(`${kind}.token`),
      remedy,
    });
  });

  test('tells an agent that does not answer', async () => {
    const agent = await agentOf();
    agent.signal('SIGSTOP');
    const { code, problems } = await look();
    agent.signal('SIGCONT');
    expect(code).toBe(1);
    expect(problems[0]).toMatchObject({
      check: 'agent',
      said: expect.stringMatching(/did not answer within 5 s/),
      remedy: expect.stringContaining(`kill -CONT ${agent.pid}`),
    });
  });

  test('H1: takes none of the eight places of clients, and finds delivery well when all are taken', async () => {
    const agent = await agentOf();
    const token = agent.token('view');
    const connect = (client_id: string) =>
      http({ url: agent.url, path: '/desktop/connect', token, body: { client_id } });
    for (let i = 1; i < 8; i++) await connect(`desk-${i}`);
    await look();
    expect((await connect('desk-8')).status).toBe(200);
    const { findings } = await look();
    for (const check of ['delivery', 'self-test'])
      expect(findings.find((f) => f.check === check)).toMatchObject({ verdict: 'ok' });
    expect((await connect('desk-9')).status).toBe(409);
  });

  test('C10: a WebSocket that the configuration switches off is no problem: delivery is tested by polling', async () => {
    await agentOf({ config: { desktop_client: { websocket: { enabled: false } } } });
    const { findings, problems } = await look();
    expect(findings.find((f) => f.check === 'delivery')).toMatchObject({ verdict: 'note' });
    expect(findings.find((f) => f.check === 'self-test')).toMatchObject({ verdict: 'ok' });
    expect(problems.filter((f) => f.check !== 'service')).toEqual([]);
  });

  test('takes nothing from other clients: what waits for the default client still waits', async () => {
    const agent = await agentOf();
    const queued = async () => {
      const path = '/desktop/status?client_id=default';
      return (await http({ url: agent.url, path, token: agent.token('view') })).json.queued_events;
    };
    const before = await queued();
    await look();
    expect(await queued()).toBeGreaterThanOrEqual(before);
    expect(before).toBeGreaterThan(0);
  });
});

describe.runIf(process.platform === 'linux')('service', () => {
  test('install --print shows the unit and writes nothing', async () => {
    const { code, stdout } = await cli('service', 'install', '--print', '--config', '/etc/playwarden.json');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^ExecStart=\S+ \S+dist\/cli\.js run --data-dir \S+ --config \/etc\/playwarden\.json$/m,
    );
  });

  test('uninstall --print and status --print show what would be called', async () => {
    expect((await cli('service', 'uninstall', '--print')).stdout).toContain('systemctl disable --now');
    expect((await cli('service', 'status', '--print')).stdout).toContain('systemctl show');
  });
});
