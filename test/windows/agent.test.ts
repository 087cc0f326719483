/** The whole agent on Windows for real, under Wine, with a client outside: from the ready line to a clean stop. */
import { chmodSync, copyFileSync, existsSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { uniqueGameName } from '../helpers/game.ts';
import { http } from '../helpers/http.ts';
import { openReliable, type RawClient } from '../helpers/ws-client.ts';
import { WineAgent } from './agent.ts';
import { APP } from './setup.ts';
import { press, startWine, type WineProgram } from './wine.ts';

const NAME = `${uniqueGameName('PwWin')}.exe`;
const PLAYER = join(APP, NAME);
const STOP_WITHIN_MS = 5_000;

const agent = new WineAgent({
  games: [{ id: 'roblox', name: 'Roblox', match: [{ name: NAME }] }],
  profiles: { default_child: { daily_limit_minutes: null } },
  sessions: { rejoin_seconds: 0.5 },
  enforcement: { close_wait_seconds: 1 },
});
const games: WineProgram[] = [];
let readyLine = '';

beforeAll(async () => {
  copyFileSync(join(APP, 'game.exe'), PLAYER);
  readyLine = await agent.start();
  console.log(`windows: the agent is ready after ${agent.readyMs.toFixed(0)} ms`);
});
afterAll(async () => {
  for (const game of games) await game.dispose();
  await agent.dispose();
  rmSync(PLAYER, { force: true });
});

function play(...does: string[]): WineProgram {
  const game = startWine([NAME, ...does]);
  games.push(game);
  return game;
}

const client = (clientId: string) =>
  openReliable({ url: agent.url, token: agent.token('control'), clientId, resume: 'now' });
const event = (type: string) => (frame: { event_type?: string }) => frame.event_type === type;

function acknowledge(link: RawClient, { meta }: { meta: { epoch: string; offset: number } }): void {
  link.send({ type: 'ack', epoch: meta.epoch, offset: meta.offset });
}

test('C2, C3: it says that it is ready with toolhelp, and agent.json says the same', async () => {
  expect(readyLine).toContain('source=toolhelp');
  const about = agent.json();
  expect(about).toMatchObject({ source: 'toolhelp', port: Number(/:(\d+) /.exec(readyLine)?.[1]) });
  expect(about.agent_id).toMatch(/^[0-9a-f-]{36}$/);
  const status = await http({ url: agent.url, path: '/desktop/status', token: agent.token('view') });
  expect(status.json.agent.health).toEqual([]);
  for (const actor of ['scanner', 'session', 'executor']) {
    expect(status.json.agent.actors[actor]).toMatchObject({ state: 'running', restarts: 0 });
  }
});

test('a game starts and ends: a client is told, the session with it', async () => {
  const link = await client('watcher');
  await link.next(({ type }) => type === 'welcome');
  const game = play('sleep');
  const started = await link.next(event('roblox_started'));
  const info = started.data.process_info;
  console.log(`windows: start → event ${Date.parse(started.meta.ts) - Date.parse(info.started_at)} ms`);
  expect(info).toMatchObject({ name: NAME, user: expect.any(String) });
  expect((await link.next(event('session_started'))).data.session_data.is_active).toBe(true);
  await game.kill();
  const stopped = await link.next(event('roblox_stopped'));
  expect(stopped.data.process_info.pid).toBe(info.pid);
  const ended = await link.next(event('session_ended'));
  const { started_at, ended_at } = stopped.data.process_info;
  const playedSeconds = (Date.parse(ended_at) - Date.parse(started_at)) / 1_000;
  expect(ended.data.session_data.duration_seconds).toBeCloseTo(playedSeconds, 0);
  await link.close();
});

test('K4: force_close asks a window that hides, forces it, and says so', async () => {
  const link = await client('parent');
  const game = play('tray');
  await game.line((line) => line.startsWith('shown'));
  await link.next(event('roblox_started'));
  const answer = await http({
    url: agent.url,
    path: '/desktop/command',
    token: agent.token('control'),
    body: { command: 'force_close', parameters: {} },
  });
  expect(answer.json.status).toBe('success');
  const [report] = answer.json.result.processes;
  console.log(`windows: force_close of a game that hides took ${report.waited_ms} ms`);
  expect(report).toMatchObject({ name: NAME, outcome: 'closed' });
  expect(report.waited_ms).toBeGreaterThanOrEqual(1_000);
  expect((await link.next(event('roblox_stopped'))).data.reason).toBe('command');
  await game.exited;
  await link.close();
});

test('C5, S1: a second agent says that the directory, or the port, is taken', async () => {
  const sameDirectory = startWine(agent.arguments());
  expect((await sameDirectory.exited).code).toBe(75);
  expect(sameDirectory.stderr).toContain('in use by another agent');
  await sameDirectory.dispose();
  const samePort = startWine(agent.arguments({ port: agent.json().port, folder: 'other' }));
  expect((await samePort.exited).code).toBe(69);
  await samePort.dispose();
});

test('D4: what was told and not acknowledged is told again after the agent was killed', async () => {
  const first = await client('keeper');
  await first.next(({ type }) => type === 'welcome');
  const game = play('sleep');
  const started = await first.next(event('roblox_started'));
  const before = agent.json();
  await agent.kill();
  await game.kill();
  await agent.start();
  expect(agent.json()).toMatchObject({ agent_id: before.agent_id, epoch: before.epoch });
  const again = await openReliable({ url: agent.url, token: agent.token('view'), clientId: 'keeper' });
  const retold = await again.next(({ meta }) => meta?.id === started.meta.id);
  expect(retold.meta).toMatchObject({ offset: started.meta.offset, redelivered: true });
  const stopped = await again.next(event('roblox_stopped'));
  expect(stopped.data.process_info.pid).toBe(started.data.process_info.pid);
  acknowledge(again, stopped);
  await again.close();
});

test.each(['break', 'close'] as const)(
  'C4: Ctrl-Break and a closed console stop it cleanly: %s',
  async (how) => {
    if (!existsSync(join(agent.dataDir, 'agent.json'))) await agent.start();
    const link = await client('leaver');
    await link.next(({ type }) => type === 'welcome');
    await press(agent.json().pid, how);
    // The start of press.exe itself is not counted.
    const pressedMs = performance.now();
    expect(await agent.program.exited).toEqual({ code: 0, signal: null });
    const stopMs = performance.now() - pressedMs;
    console.log(`windows: stopped ${stopMs.toFixed(0)} ms after ${how}`);
    expect(stopMs).toBeLessThan(STOP_WITHIN_MS);
    expect((await link.closed).code).toBe(4005);
    expect(existsSync(join(agent.dataDir, 'agent.json'))).toBe(false);
  },
);

describe('C5, S5: what others could have touched is refused', () => {
  test.each([
    ['a control.token that everybody may read', 'control.token', 0o644, 'Others have too many rights'],
    ['a view.token that everybody may change', 'view.token', 0o666, 'Others have too many rights'],
    ['a directory that everybody may write in', '', 0o777, 'may write in it'],
  ])('%s', async (_what, name, mode, said) => {
    const path = join(agent.dataDir, name);
    const before = statSync(path).mode;
    chmodSync(path, mode);
    const refused = startWine(agent.arguments());
    expect(await refused.exited).toEqual({ code: 78, signal: null });
    expect(refused.stderr).toContain(said);
    chmodSync(path, before);
    await refused.dispose();
  });

  test('what the agent made itself others cannot read', () => {
    // Wine keeps the rights of Administrators as those of the file's group.
    expect(statSync(join(agent.dataDir, 'control.token')).mode & 0o007).toBe(0);
  });
});
