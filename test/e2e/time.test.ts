/**
 * T1 to T7 on a real machine: limits that close a real game, clocks that are set (libfaketime), an agent that was dead
 * meanwhile. The rules themselves are tested over the pure behaviour; here they are seen to reach the process.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Agent, type AgentOptions, startAgent } from '../helpers/agent.ts';
import { type Game, startGame, uniqueGameName } from '../helpers/game.ts';
import { http } from '../helpers/http.ts';
import { type Frame, openRaw, type RawClient } from '../helpers/ws-client.ts';

const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1';

let agent: Agent;
let root: string;
let game: string;
let games: Game[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'playwarden-time-'));
  game = uniqueGameName();
});
afterEach(async () => {
  await Promise.all(games.map((g) => g.stop('SIGKILL')));
  games = [];
  await agent.dispose();
  rmSync(root, { recursive: true, force: true });
});

async function play(): Promise<Game> {
  const started = await startGame(game);
  games.push(started);
  return started;
}

/** Limits of seconds, so that a test sees them pass. */
async function run(profile: object, options: AgentOptions = {}): Promise<RawClient> {
  agent = await startAgent({
    config: {
      games: [{ id: 'roblox', name: 'Roblox', match: [{ name: game }] }],
      profiles: { default_child: profile },
      sessions: { rejoin_seconds: 0.3 },
      enforcement: { close_wait_seconds: 1 },
    },
    ...options,
  });
  return connect();
}

const connect = () => openRaw({ url: agent.url, token: agent.token('view') });
const command = (body: object) =>
  http({ url: agent.url, path: '/desktop/command', method: 'POST', token: agent.token('control'), body });
const child = async () =>
  (await http({ url: agent.url, path: '/desktop/status', token: agent.token('view') })).json.children
    .default_child;

const event = (kind: string) => (frame: Frame) => frame.event_type === kind;
const notification = (kind: string) => (frame: Frame) =>
  frame.type === 'notification' && frame.data.type === kind;

describe('T4, T6: a limit of seconds', () => {
  test('warns, tells that the time is up, closes after the grace, and closes a relaunch at once', async () => {
    const client = await run({ daily_limit_minutes: 4 / 60, warn_minutes: [2 / 60], grace_seconds: 1 });
    const first = await play();
    const startedAt = performance.now();
    const warning = await client.next(event('time_limit_warning'));
    expect(performance.now() - startedAt).toBeGreaterThan(1_500);
    expect(warning.data.session_data).toMatchObject({ limited_by: 'day', is_active: true });
    await client.next(notification('time_limit_exceeded'), 6_000);
    const exceededAt = performance.now();
    const closed = await client.next(event('roblox_auto_closed'), 6_000);
    expect(closed.data).toMatchObject({ reason: 'limit', process_info: { pid: first.pid } });
    expect(performance.now() - exceededAt).toBeGreaterThan(800);
    await first.exited;

    const second = await play();
    const again = await client.next(event('roblox_auto_closed'), 6_000);
    expect(again.data.process_info.pid).toBe(second.pid);
    expect(await child()).toMatchObject({ remaining_minutes: 0, limited_by: 'day' });
    await client.close();
  });

  test('extend_time during the grace keeps the game, and the warnings are re-armed', async () => {
    const client = await run({ daily_limit_minutes: 2 / 60, warn_minutes: [1], grace_seconds: 2 });
    const first = await play();
    await client.next(notification('time_limit_exceeded'), 6_000);
    const answer = await command({ command: 'extend_time', parameters: { minutes: 1 } });
    expect(answer.json).toMatchObject({ status: 'success' });
    await client.next(event('time_limit_warning'), 6_000);
    const status = await child();
    expect(status.remaining_minutes).toBeGreaterThan(0.9);
    expect(status.remaining_minutes).toBeLessThanOrEqual(1);
    expect(await Promise.race([first.exited, client.settledEvents(2_500).then(() => 'alive')])).toBe('alive');
    await client.close();
  });

  test('pause closes a running game after the grace and a relaunch on sight; resume lets it run', async () => {
    const client = await run({ daily_limit_minutes: null, grace_seconds: 0.5 });
    const first = await play();
    await client.next(event('session_started'));
    await command({ command: 'pause', parameters: {} });
    expect((await client.next(event('roblox_auto_closed'), 6_000)).data).toMatchObject({ reason: 'pause' });
    await first.exited;
    const second = await play();
    expect((await client.next(event('roblox_auto_closed'), 6_000)).data.process_info.pid).toBe(second.pid);
    await command({ command: 'resume', parameters: {} });
    const third = await play();
    await client.next(event('roblox_started'));
    expect(await Promise.race([third.exited, client.settledEvents(1_000).then(() => 'alive')])).toBe('alive');
    await client.close();
  });

  test('auto_close false tells and does not close', async () => {
    const client = await run({ daily_limit_minutes: 1 / 60, grace_seconds: 0, auto_close: false });
    const first = await play();
    await client.next(notification('time_limit_exceeded'), 6_000);
    expect(await Promise.race([first.exited, client.settledEvents(2_000).then(() => 'alive')])).toBe('alive');
    await client.close();
  });

  test('K4: a game that ignores SIGTERM is forced and verified', async () => {
    const client = await run({ daily_limit_minutes: null });
    const stubborn = await startGame(game);
    games.push(stubborn);
    await client.next(event('session_started'));
    process.kill(stubborn.pid, 'SIGSTOP');
    const { json } = await command({ command: 'force_close' });
    expect(json).toMatchObject({
      status: 'success',
      result: { processes: [{ pid: stubborn.pid, outcome: 'closed' }] },
    });
    expect((await stubborn.exited).signal).toBe('SIGKILL');
    await client.close();
  });
});

describe('T3, T7: an agent that was dead meanwhile', () => {
  test('the same session goes on, the gap is charged and flagged, no warning comes twice', async () => {
    const client = await run({ daily_limit_minutes: 30, warn_minutes: [29.99] });
    await play();
    const before = (await client.next(event('session_started'))).data.session_data;
    await client.next(event('time_limit_warning'));
    await agent.kill('SIGKILL');
    const diedAt = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 3_000)); // what is measured here is the time that passes
    await agent.start();
    const back = await connect();
    const gone = (performance.now() - diedAt) / 1_000;
    await games[0]?.stop();
    const { session_data } = (await back.next(event('session_ended'), 6_000)).data;
    expect(session_data.session_id).toBe(before.session_id);
    expect(session_data.gaps).toHaveLength(1);
    expect(session_data.gaps[0].charged_minutes * 60).toBeGreaterThan(gone - 2);
    const lasted = (Date.parse(session_data.time_end) - Date.parse(session_data.time_start)) / 1_000;
    expect(session_data.duration_seconds).toBeGreaterThan(lasted - 0.5);
    expect(session_data.duration_seconds).toBeLessThan(lasted + 0.5);
    expect(back.events.filter(event('time_limit_warning'))).toHaveLength(1);
    await back.close();
  });
});

describe('T1: a clock that is set', () => {
  /** The wall clock of the agent, moved by so many seconds from the real one. */
  const setClock = (seconds: number) =>
    writeFileSync(join(root, 'clock'), `${seconds >= 0 ? '+' : ''}${seconds}\n`);
  const faked = () => ({
    env: {
      LD_PRELOAD: FAKETIME,
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      FAKETIME_TIMESTAMP_FILE: join(root, 'clock'),
      FAKETIME_NO_CACHE: '1',
    },
  });

  test.runIf(existsSync(FAKETIME))(
    'a step of a day is told, and opens no new budget',
    async () => {
      setClock(0);
      const client = await run({ daily_limit_minutes: 2 / 60, grace_seconds: 0, warn_minutes: [] }, faked());
      await play();
      await client.next(event('roblox_auto_closed'), 8_000);
      for (const step of [86_400, -7_200, 0]) {
        setClock(step);
        await client.next(event('clock_changed'), 40_000);
        expect(await child()).toMatchObject({ remaining_minutes: 0 });
        const relaunch = await play();
        await client.next(event('roblox_auto_closed'), 8_000);
        await relaunch.exited;
      }
      await agent.restart('SIGKILL');
      expect(await child()).toMatchObject({ remaining_minutes: 0 });
      await client.closed;
    },
    150_000,
  );
});
