/** K4, T6: a child that renames the game's file while it plays does not get rid of the limit, nor by a dead agent. */
import { readlinkSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type Agent, startAgent } from '../helpers/agent.ts';
import { type Game, startGame, uniqueGameName } from '../helpers/game.ts';
import { type Frame, openRaw } from '../helpers/ws-client.ts';

let agent: Agent | undefined;
let game: Game | undefined;
afterEach(async () => {
  await game?.stop('SIGKILL');
  await agent?.dispose();
});

const event = (kind: string) => (frame: Frame) => frame.event_type === kind;

test.runIf(process.platform === 'linux')(
  'a renamed game is charged on over a death of the agent, closed by force, and told as closed only',
  async () => {
    const name = uniqueGameName();
    agent = await startAgent({
      config: {
        games: [{ id: 'roblox', name: 'Roblox', match: [{ name }] }],
        profiles: { default_child: { daily_limit_minutes: 5 / 60, warn_minutes: [], grace_seconds: 0.5 } },
        sessions: { rejoin_seconds: 0.3 },
        enforcement: { close_wait_seconds: 0.5 },
        detection: { reconcile_seconds: 1 },
      },
    });
    const { url } = agent;
    const before = await openRaw({ url, token: agent.token('view') });
    game = await startGame(name, { stubborn: true });
    const { session_id } = (await before.next(event('session_started'))).data.session_data;
    const file = readlinkSync(`/proc/${game.pid}/exe`);
    renameSync(file, join(dirname(file), 'notes'));
    await agent.kill('SIGKILL');
    await agent.start();

    const client = await openRaw({ url: agent.url, token: agent.token('view') });
    const closed = await client.next(event('roblox_auto_closed'));
    expect(closed.data).toMatchObject({ reason: 'limit', process_info: { pid: game.pid, name } });
    expect(await game.exited).toMatchObject({ signal: 'SIGKILL' });
    const ended = await client.next(event('session_ended'));
    expect(ended.data.session_data.session_id).toBe(session_id);
    const kinds = [...before.events, ...client.events].map((e) => e.event_type);
    expect(kinds).not.toContain('roblox_stopped');
    await before.close();
    await client.close();
  },
);
