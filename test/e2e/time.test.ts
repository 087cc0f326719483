/**
 * T1 to T7 on a real machine: limits that close a real game, clocks that are set (libfaketime), an agent that was dead
 * meanwhile. The rules themselves are tested over the pure behaviour; here they are seen to reach the process.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
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

const at = (frame: Frame) => Date.parse(frame.meta.ts);
const event = (kind: string) => (frame: Frame) => frame.event_type === kind;
const notification = (kind: string) => (frame: Frame) =>
  frame.type === 'notification' && frame.data.type === kind;

describe('T4, T6: a limit of seconds', () => {
  test('warns, tells that the time is up, closes after the grace, and closes a relaunch at once', async () => {
    const client = await run({ daily_limit_minutes: 4 / 60, warn_minutes: [2 / 60], grace_seconds: 1 });
    const first = await play();
    const started = await client.next(event('roblox_started'));
    const warning = await client.next(event('time_limit_warning'));
    expect(at(warning) - Date.parse(started.data.process_info.started_at)).toBeGreaterThan(1_500);
    expect(warning.data.session_data).toMatchObject({ limited_by: 'day', is_active: true });
    const exceeded = await client.next(notification('time_limit_exceeded'));
    const closed = await client.next(event('roblox_auto_closed'));
    expect(closed.data).toMatchObject({ reason: 'limit', process_info: { pid: first.pid } });
    expect(closed.data.why).toMatchObject({
      rule: 'day',
      sentence: expect.stringMatching(
        /^Roblox was closed at \d\d:\d\d: [\d.]+ of 0\.07 minutes used today\.$/,
      ),
    });
    expect(at(closed) - at(exceeded)).toBeGreaterThan(800);
    await first.exited;

    const second = await play();
    const again = await client.next(event('roblox_auto_closed'));
    expect(again.data.process_info.pid).toBe(second.pid);
    expect(await child()).toMatchObject({ remaining_minutes: 0, limited_by: 'day' });
    await client.close();
  });

  test('extend_time during the grace keeps the game, and the warnings are re-armed', async () => {
    const client = await run({ daily_limit_minutes: 2 / 60, warn_minutes: [1], grace_seconds: 4 });
    const first = await play();
    await client.next(notification('time_limit_exceeded'));
    const answer = await command({ command: 'extend_time', parameters: { minutes: 1 } });
    expect(answer.json).toMatchObject({ status: 'success' });
    await client.next(event('time_limit_warning'));
    const status = await child();
    expect(status.remaining_minutes).toBeGreaterThan(0.5);
    expect(status.remaining_minutes).toBeLessThanOrEqual(1);
    expect(await Promise.race([first.exited, client.settledEvents(4_500).then(() => 'alive')])).toBe('alive');
    await client.close();
  });

  test('pause closes a running game after the grace and a relaunch on sight; resume lets it run', async () => {
    const client = await run({ daily_limit_minutes: null, grace_seconds: 0.5 });
    const first = await play();
    await client.next(event('session_started'));
    await command({ command: 'pause', parameters: {} });
    expect((await client.next(event('roblox_auto_closed'))).data).toMatchObject({ reason: 'pause' });
    await first.exited;
    const second = await play();
    expect((await client.next(event('roblox_auto_closed'))).data.process_info.pid).toBe(second.pid);
    await command({ command: 'resume', parameters: {} });
    const third = await play();
    await client.next(event('roblox_started'));
    expect(await Promise.race([third.exited, client.settledEvents(1_000).then(() => 'alive')])).toBe('alive');
    await client.close();
  });

  test('auto_close false tells and does not close', async () => {
    const client = await run({ daily_limit_minutes: 1 / 60, grace_seconds: 0, auto_close: false });
    const first = await play();
    await client.next(notification('time_limit_exceeded'));
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
    const { result } = (await client.next(event('command_completed'))).data;
    expect(result).toEqual(json.result);
    const stages = result.processes[0].stages.map(({ stage }: { stage: string }) => stage);
    expect(stages).toEqual(['accepted', 'asked', 'forced', 'verified']);
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
    await sleep(3_000); // what is measured here is the time that passes
    await agent.start();
    const back = await connect();
    await games[0]?.stop();
    const { session_data } = (await back.next(event('session_ended'))).data;
    expect(session_data.session_id).toBe(before.session_id);
    // A busy machine may hold the agent for a moment more, which is a gap of its own.
    const [gap, ...more] = session_data.gaps.filter((g: { reason: string }) => g.reason === 'agent_down');
    expect(more).toEqual([]);
    expect(gap.charged_minutes * 60).toBeGreaterThan(2.9);
    const lasted = (Date.parse(session_data.time_end) - Date.parse(session_data.time_start)) / 1_000;
    expect(session_data.duration_seconds).toBeGreaterThan(lasted - 0.5);
    expect(session_data.duration_seconds).toBeLessThan(lasted + 0.5);
    expect(back.events.filter(event('time_limit_warning'))).toHaveLength(1);
    await back.close();
  });
});

/** A boot clock that is eight hours ahead of the awake one, as on a PC that slept so long. */
const SLEPT = ['unshare', '-T', '--boottime', '28800', '--'];
const canSleep = spawnSync('unshare', [...SLEPT.slice(1), 'cat', '/proc/uptime']);
const hasSlept = canSleep.status === 0 && Number.parseFloat(`${canSleep.stdout}`) > 28_800;

describe.runIf(hasSlept)('E1, T3: a PC that slept since it booted', () => {
  test('a game that began while no agent ran is charged and told from its own start', async () => {
    const client = await run({ daily_limit_minutes: 30 }, { command: [...SLEPT, process.execPath] });
    await agent.stop();
    await client.closed;
    const before = Date.now();
    await play();
    const after = Date.now();
    await sleep(3_000); // what is measured here is the time that passes
    await agent.start();
    const back = await connect();
    const { data } = await back.next(event('roblox_started'));
    expect(data.process_info.found).toBe(true);
    const startedAt = Date.parse(data.process_info.started_at);
    expect(startedAt).toBeGreaterThan(before - 100);
    expect(startedAt).toBeLessThan(after + 100);
    expect((await child()).used_minutes_today * 60).toBeGreaterThan(2.9);
    await back.close();
  });
});

describe('T6, T7: an agent that died while it closed a game', () => {
  test('the close goes on at once with the next life, and is told as one', async () => {
    const client = await run({ daily_limit_minutes: 1 / 60, warn_minutes: [], grace_seconds: 0 });
    const stuck = await play();
    // A stopped process ends at SIGKILL only: until then its SIGTERM is pending, for everybody to see (proc(5)).
    process.kill(stuck.pid, 'SIGSTOP');
    await vi.waitFor(() => expect(hasPending(stuck.pid, 15)).toBe(true), { timeout: 10_000, interval: 10 });
    await agent.kill('SIGKILL');
    expect(hasPending(stuck.pid, 15)).toBe(true);
    await client.close();
    await agent.start();
    const startedAt = Date.now();
    expect(await stuck.exited).toMatchObject({ signal: 'SIGKILL' });
    // One `close_wait_seconds`, and room for a busy machine; an order that was waited for would take 16 s.
    expect(Date.now() - startedAt).toBeLessThan(8_000);
    const back = await connect();
    const closed = await back.next(event('roblox_auto_closed'));
    expect(closed.data).toMatchObject({ reason: 'limit', process_info: { pid: stuck.pid } });
    expect(back.events.filter(event('roblox_stopped'))).toEqual([]);
    await back.close();
  });
});

/** Whether a signal waits for this process as a whole. */
function hasPending(pid: number, signal: number): boolean {
  const [, mask = '0'] = /^ShdPnd:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
}

describe('E1: agent and game die together', () => {
  test('what was played before is charged, though the ledger is written every 30 s', async () => {
    const client = await run({ daily_limit_minutes: 30 });
    const played = await play();
    const { time_start } = (await client.next(event('session_started'))).data.session_data;
    await sleep(4_000); // what is measured here is the time that passes
    await agent.kill('SIGKILL');
    const diedAt = Date.now();
    await played.stop('SIGKILL');
    await agent.start();
    const back = await connect();
    const { session_data } = (await back.next(event('session_ended'))).data;
    expect(session_data).toMatchObject({ end_reason: 'agent_down' });
    const lastedMs = diedAt - Date.parse(time_start);
    expect(session_data.duration_seconds * 1_000).toBeGreaterThan(lastedMs - 3_000);
    expect(session_data.duration_seconds * 1_000).toBeLessThan(lastedMs + 500);
    await back.close();
  });
});

describe('T3: a game or an agent that somebody stops (SIGSTOP)', () => {
  test('both is play: it is charged, and the time without the agent stands in the gaps', async () => {
    const client = await run({ daily_limit_minutes: 30 });
    const stopped = await play();
    await client.next(event('session_started'));
    // What is measured here is the time that passes.
    process.kill(stopped.pid, 'SIGSTOP');
    await sleep(2_000);
    expect((await child()).used_minutes_today * 60).toBeGreaterThan(1.9);
    process.kill(stopped.pid, 'SIGCONT');
    agent.signal('SIGSTOP');
    await sleep(5_000);
    agent.signal('SIGCONT');
    expect(await child()).toMatchObject({ playing: true });
    await stopped.stop();
    const { session_data } = (await client.next(event('session_ended'))).data;
    const lasted = (Date.parse(session_data.time_end) - Date.parse(session_data.time_start)) / 1_000;
    expect(lasted).toBeGreaterThan(7);
    expect(Math.abs(session_data.duration_seconds - lasted)).toBeLessThan(0.1);
    const held = session_data.gaps.filter((g: { reason: string }) => g.reason === 'agent_stopped');
    const seconds = held.map((g: { charged_minutes: number }) => g.charged_minutes * 60);
    expect(Math.max(...seconds)).toBeGreaterThan(4.9);
    await client.close();
  });
});

describe('two children with an account each', () => {
  // Accounts that every Linux has; only root may play as somebody else.
  // Anna is the last to start: her limit is one of seconds.
  const accounts = { ben: 'daemon', nobody: 'nobody', anna: 'games' } as const;
  const uids = Object.fromEntries(
    readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => line.split(':'))
      .map(([name, , uid]) => [name, Number(uid)]),
  );
  const mayChoose = process.getuid?.() === 0 && Object.values(accounts).every((name) => name in uids);
  const title =
    "C7, T6: each has minutes of its own, a limit closes that child's game only, and who is nobody's child is not limited";

  test.runIf(mayChoose)(
    mayChoose ? title : `${title} (skipped: needs root and the accounts games, daemon, nobody)`,
    async () => {
      const client = await run(
        {},
        {
          config: {
            games: [{ id: 'roblox', name: 'Roblox', match: [{ name: game }] }],
            profiles: {
              anna: {
                os_users: [accounts.anna],
                daily_limit_minutes: 3 / 60,
                warn_minutes: [],
                grace_seconds: 0,
              },
              ben: { os_users: [accounts.ben], daily_limit_minutes: 60 },
            },
            sessions: { rejoin_seconds: 0.3 },
            enforcement: { close_wait_seconds: 1 },
          },
        },
      );
      const players: Record<string, Game> = {};
      for (const [who, account] of Object.entries(accounts)) {
        const played = await startGame(game, { uid: uids[account] ?? 0 });
        games.push(played);
        players[who] = played;
        const { data } = await client.next(
          (f) => event('roblox_started')(f) && f.data.process_info.pid === played.pid,
        );
        expect(data).toMatchObject({
          child_profile: who === 'nobody' ? null : who,
          process_info: { user: account },
        });
      }
      const closed = await client.next(event('roblox_auto_closed'), 10_000);
      expect(closed.data).toMatchObject({ child_profile: 'anna', process_info: { pid: players.anna?.pid } });
      await players.anna?.exited;
      const { children } = (
        await http({ url: agent.url, path: '/desktop/status', token: agent.token('view') })
      ).json;
      expect(children.anna).toMatchObject({ playing: false, remaining_minutes: 0, limited_by: 'day' });
      expect(children.ben).toMatchObject({ playing: true, limited_by: 'day' });
      expect(children.ben.remaining_minutes + children.ben.used_minutes_today).toBeCloseTo(60, 2);
      expect(Object.keys(children)).toEqual(['anna', 'ben']);

      // Another game of anna's is closed on sight; the others play on.
      const relaunch = await startGame(game, { uid: uids[accounts.anna] ?? 0 });
      games.push(relaunch);
      await relaunch.exited;
      for (const who of ['ben', 'nobody'])
        expect(() => process.kill(players[who]?.pid ?? 0, 0), who).not.toThrow();
      const profiles = client.events
        .filter((f) => event('session_started')(f))
        .map((f) => f.data.session_data.child_profile);
      expect(new Set(profiles)).toEqual(new Set(['anna', 'ben']));
      expect(
        client.events.filter(event('roblox_auto_closed')).every((f) => f.data.child_profile === 'anna'),
      ).toBe(true);
      await client.close();
    },
  );
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
      await client.next(event('roblox_auto_closed'));
      for (const step of [86_400, -7_200, 0]) {
        setClock(step);
        await client.next(event('clock_changed'), 40_000);
        expect(await child()).toMatchObject({ remaining_minutes: 0 });
        const relaunch = await play();
        await client.next(event('roblox_auto_closed'));
        await relaunch.exited;
      }
      await agent.restart('SIGKILL');
      expect(await child()).toMatchObject({ remaining_minutes: 0 });
      await client.closed;
    },
    150_000,
  );
});
