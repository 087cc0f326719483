/** Contract section 6 with real processes: what is told when a game starts and stops, and in which order. */
import { afterEach, describe, expect, it } from 'vitest';
import { type Game, startGame } from '../helpers/game.ts';
import type { Frame } from '../helpers/ws-client.ts';
import { CLIENTS, command, skipToNow } from './sources.ts';
import { EXTERNAL, HAS_GAME, useTarget } from './target.ts';
import { type Receiver, TRANSPORTS } from './transports.ts';

/** The rejoin time of the target, with room for the agent to learn of a start. */
const REJOIN_MS = 400;

const target = useTarget();
const games: Game[] = [];
const play = async (ms?: number): Promise<Game> => {
  const game = await startGame(target.game, ms === undefined ? {} : { ms });
  games.push(game);
  return game;
};
const named = (name: string) => (e: Frame) =>
  e.event_type === name || (e.type === name && e.event_type === undefined);
const of = (name: string, pid: number) => (e: Frame) =>
  e.event_type === name && e.data.process_info.pid === pid;
/** The kind of an event: its event_type, or the type where there is none; notifications with theirs. */
const kind = (e: Frame): string =>
  e.event_type ?? (e.type === 'notification' ? `notification ${e.data.type}` : e.type);

afterEach(async () => {
  for (const game of games.splice(0)) await game.stop('SIGKILL');
});

describe.skipIf(!HAS_GAME)('E1: a play', () => {
  let receiver: Receiver | null = null;
  const receive = async (index = 0): Promise<Receiver> => {
    await skipToNow(target, CLIENTS.a);
    receiver = await TRANSPORTS[index]!.open(target, CLIENTS.a);
    return receiver;
  };
  afterEach(async () => {
    for (const game of games.splice(0)) await game.stop('SIGKILL');
    // The play ends with its rejoin time: the next case begins with nothing running.
    await receiver?.wait(named('firebase_sync_request'), 8_000).catch(() => {});
    await receiver?.close().catch(() => {});
  });

  it.each(TRANSPORTS.map((t, index) => [t.name, index] as const))(
    'E4: is told in order over %s',
    async (_name, index) => {
      const client = await receive(index);
      const game = await play();
      await client.wait(named('session_started'));
      await game.stop();
      await client.wait(named('firebase_sync_request'));
      const kinds = client
        .events()
        .map(kind)
        .filter((k) => !k.startsWith('agent_'));
      expect(kinds).toEqual([
        'roblox_started',
        'session_started',
        'roblox_stopped',
        'session_ended',
        'notification session_end',
        'firebase_sync_request',
      ]);
    },
  );

  it('E1: roblox_started names the process, its start and the child', async () => {
    const client = await receive();
    const since = Date.now();
    const game = await play();
    const { data } = await client.wait(of('roblox_started', game.pid));
    expect(data).toMatchObject({
      process_info: { pid: game.pid, name: target.game, started_at: expect.stringMatching(/Z$/) },
      child_profile: 'default_child',
    });
    expect(Math.abs(Date.parse(data.process_info.started_at) - since)).toBeLessThan(15_000);
  });

  it('E1: the session id is <child>_<start in epoch ms> and stays through the session', async () => {
    const client = await receive();
    const game = await play();
    const started = (await client.wait(named('session_started'))).data.session_data;
    expect(started.session_id).toBe(`default_child_${Date.parse(started.time_start)}`);
    expect(started).toMatchObject({
      is_active: true,
      time_end: null,
      child_profile: 'default_child',
      game: 'roblox',
    });
    await game.stop();
    const ended = (await client.wait(named('session_ended'))).data.session_data;
    expect(ended).toMatchObject({
      session_id: started.session_id,
      is_active: false,
      time_start: started.time_start,
    });
    expect(ended.duration_minutes).toBeCloseTo(ended.duration_seconds / 60, 1);
    const sync = await client.wait(named('firebase_sync_request'));
    expect(sync.data).toEqual({ data_type: 'session', data: ended });
  });

  it('E1: time_end is the moment the process went, not the end of the rejoin time', async () => {
    const client = await receive();
    const game = await play();
    await client.wait(named('session_started'));
    await game.stop();
    const { process_info } = (await client.wait(of('roblox_stopped', game.pid))).data;
    const ended = (await client.wait(named('session_ended'))).data.session_data;
    expect(Math.abs(Date.parse(ended.time_end) - Date.parse(process_info.ended_at))).toBeLessThan(100);
  });

  it('E1: two players are one session that ends with the last', async () => {
    const client = await receive();
    const one = await play();
    await client.wait(of('roblox_started', one.pid));
    const two = await play();
    await client.wait(of('roblox_started', two.pid));
    await one.stop();
    await client.wait(of('roblox_stopped', one.pid));
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect((await client.settle()).filter(named('session_ended'))).toEqual([]);
    await two.stop();
    await client.wait(named('session_ended'));
    expect(client.events().filter(named('session_started'))).toHaveLength(1);
  });

  it('E1: a teleport that restarts the process within rejoin_seconds is the same session', async () => {
    const client = await receive();
    const one = await play();
    await client.wait(named('session_started'));
    await one.stop();
    const two = await play();
    const infoOf = async (name: string, { pid }: Game) =>
      (await client.wait(of(name, pid))).data.process_info;
    const back = Date.parse((await infoOf('roblox_started', two)).started_at);
    const went = Date.parse((await infoOf('roblox_stopped', one)).ended_at);
    await two.stop();
    await client.wait(of('roblox_stopped', two.pid));
    await client.wait(named('session_ended'));
    // A slow machine may take longer to start the second.
    if (back - went < REJOIN_MS) expect(client.events().filter(named('session_started'))).toHaveLength(1);
    expect(client.events().filter(named('roblox_started'))).toHaveLength(2);
  });

  it('E1: a game that lives 300 ms is told with start and stop', async () => {
    const client = await receive();
    const game = await play(300);
    await client.wait(of('roblox_started', game.pid));
    await client.wait(of('roblox_stopped', game.pid));
  });

  it('K4: force_close ends the process, verified, told as roblox_stopped with reason command', async () => {
    const client = await receive();
    const game = await play();
    await client.wait(named('session_started'));
    const answer = await command(target, { command: 'force_close' });
    expect(answer.status).toBe('success');
    expect(JSON.stringify(answer.result)).toContain('"closed"');
    expect((await game.exited).signal).toMatch(/SIGTERM|SIGKILL/);
    expect((await client.wait(of('roblox_stopped', game.pid))).data.reason).toBe('command');
  });

  it('section 4: status shows the child playing, its session and its game', async () => {
    const client = await receive();
    await play();
    const { session_id } = (await client.wait(named('session_started'))).data.session_data;
    const { children } = (await target.http('/desktop/status')).json;
    expect(children.default_child).toMatchObject({ playing: true, session_id, game: 'roblox' });
  });

  it('H3: a running session is 409; the first success confirms, the next says already', async () => {
    const client = await receive();
    const game = await play();
    const { session_id } = (await client.wait(named('session_started'))).data.session_data;
    const confirm = (success: boolean) => target.http('/sync/confirm', { body: { session_id, success } });
    expect((await confirm(true)).status).toBe(409);
    await game.stop();
    await client.wait(named('firebase_sync_request'));
    const waiting = async () =>
      (await target.http('/desktop/queue/sessions?limit=500')).json.sessions.some(
        (s: { session_id: string }) => s.session_id === session_id,
      );
    expect(await waiting()).toBe(true);
    expect((await confirm(false)).json).toMatchObject({ session_id, confirmed: false, already: false });
    expect((await confirm(true)).json).toMatchObject({ session_id, confirmed: true, already: false });
    expect((await confirm(true)).json).toMatchObject({ session_id, confirmed: true, already: true });
    expect((await confirm(false)).json).toMatchObject({ confirmed: true });
    expect(await waiting()).toBe(false);
  });

  it.skipIf(EXTERNAL).each(['SIGTERM', 'SIGKILL'] as const)(
    'E1: a game that runs over %s of the agent is not told again, its session goes on',
    async (signal) => {
      const client = await receive();
      const game = await play();
      const { session_id } = (await client.wait(named('session_started'))).data.session_data;
      await client.close().catch(() => {});
      await target.restart(signal);
      const back = await TRANSPORTS[0]!.open(target, CLIENTS.a);
      receiver = back;
      await back.wait(of('roblox_started', game.pid));
      await game.stop();
      const ofThis = (e: Frame) => e.data.session_data?.session_id === session_id;
      await back.wait((e) => named('session_ended')(e) && ofThis(e));
      expect(back.events().filter(of('roblox_started', game.pid))).toHaveLength(1);
      expect(back.events().filter((e) => named('session_started')(e) && ofThis(e))).toHaveLength(1);
    },
  );

  it.skipIf(EXTERNAL)('E1: a game found at the start carries found', async () => {
    await skipToNow(target, CLIENTS.a);
    await target.agent.stop();
    const game = await play();
    await target.restart();
    receiver = await TRANSPORTS[0]!.open(target, CLIENTS.a);
    const { data } = await receiver.wait(of('roblox_started', game.pid));
    expect(data.process_info.found).toBe(true);
  });

  it.skipIf(EXTERNAL)('E1: one that ended while the agent was down is told with ended_at null', async () => {
    const client = await receive();
    const game = await play();
    await client.wait(named('session_started'));
    await target.agent.kill('SIGKILL');
    await game.stop();
    await target.restart();
    receiver = await TRANSPORTS[0]!.open(target, CLIENTS.a);
    const stopped = await receiver.wait(of('roblox_stopped', game.pid));
    expect(stopped.data.process_info.ended_at).toBeNull();
    await receiver.wait(named('session_ended'));
  });
});

describe('E1: the agent itself', () => {
  it.skipIf(EXTERNAL)(
    'section 6: a clean stop and a start are told as agent_stopped and agent_started',
    async () => {
      await skipToNow(target, CLIENTS.a);
      await target.restart('SIGTERM');
      const client = await TRANSPORTS[0]!.open(target, CLIENTS.a);
      const stopped = await client.wait(named('agent_stopped'));
      const started = await client.wait(named('agent_started'));
      expect(stopped.meta.offset).toBeLessThan(started.meta.offset);
      expect(started.data.message).toEqual(expect.any(String));
      await client.close();
    },
  );
});
