/** K4, T6: a launcher that executes the game in its own process, and a game that executes itself anew, get rid of no close. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { type Agent, startAgent } from '../helpers/agent.ts';
import { uniqueGameName } from '../helpers/game.ts';
import { http } from '../helpers/http.ts';
import { type Frame, openRaw } from '../helpers/ws-client.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

const event = (kind: string) => (frame: Frame) => frame.event_type === kind;

/** It heeds no SIGTERM for a second and then executes the game, which does. */
const LAUNCHER = `trap : TERM
n=0; while [ $n -lt 10 ]; do sleep 0.1; n=$((n+1)); done
exec "$(dirname "$0")/player/$(basename "$0")" 60
`;

/** It executes itself anew, with other words, whenever it is asked to end. */
const DODGER = `trap 'exec "$0" $((\${1:-0} + 1))' TERM
while :; do sleep 0.05; done
`;

async function agentWith(name: string, minutes: number | null, closeWaitSeconds: number): Promise<Agent> {
  const agent = await startAgent({
    config: {
      games: [{ id: 'roblox', name: 'Roblox', match: [{ name }] }],
      profiles: { default_child: { daily_limit_minutes: minutes, warn_minutes: [], grace_seconds: 0 } },
      sessions: { rejoin_seconds: 0.3 },
      enforcement: { close_wait_seconds: closeWaitSeconds },
    },
  });
  undo.push(() => agent.dispose());
  return agent;
}

/** Starts a script that bears the game's name. */
async function startScript(name: string, script: string) {
  const folder = mkdtempSync(join(tmpdir(), 'playwarden-launcher-'));
  undo.push(() => rmSync(folder, { recursive: true, force: true }));
  const player = mkdtempSync(join(folder, 'x'));
  copyFileSync('/bin/sleep', join(player, name));
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${script.replace('/player/', player.slice(folder.length).concat('/'))}`);
  for (const each of [folder, player, file, join(player, name)]) chmodSync(each, 0o755);
  const child = spawn(file, [], { stdio: 'ignore' });
  undo.push(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit').then(([, signal]) => signal);
  await once(child, 'spawn');
  return { pid: child.pid, ended };
}

describe.runIf(process.platform === 'linux')(
  'a process that executes something else while it is closed',
  () => {
    test('T6: a launcher that executes the game when no time is left: the game is closed at once, told once', async () => {
      const name = uniqueGameName();
      const agent = await agentWith(name, 0, 300);
      const client = await openRaw({ url: agent.url, token: agent.token('view') });
      const { pid, ended } = await startScript(name, LAUNCHER);
      expect(await ended).toBe('SIGTERM');
      const closed = await client.next(event('roblox_auto_closed'));
      expect(closed.data).toMatchObject({ reason: 'limit', process_info: { pid, name } });
      expect(client.events.filter(event('roblox_started'))).toHaveLength(1);
      await client.close();
    });

    test('K4: force_close says closed when the game that a launcher executes meanwhile is closed too', async () => {
      const name = uniqueGameName();
      const agent = await agentWith(name, null, 300);
      const client = await openRaw({ url: agent.url, token: agent.token('view') });
      const { pid, ended } = await startScript(name, LAUNCHER);
      await client.next(event('roblox_started'));
      const answer = await http({
        url: agent.url,
        token: agent.token('control'),
        path: '/desktop/command',
        body: { command: 'force_close' },
        timeoutMs: 20_000,
      });
      expect(answer.json).toMatchObject({
        status: 'success',
        result: { processes: [{ pid, outcome: 'closed' }] },
      });
      expect(await ended).toBe('SIGTERM');
      await client.next(event('roblox_stopped'));
      await client.close();
    });

    test('K4: a script that executes itself anew whenever it is asked to end is forced', async () => {
      const name = uniqueGameName();
      const agent = await agentWith(name, 0, 0.5);
      const { ended } = await startScript(name, DODGER);
      expect(await ended).toBe('SIGKILL');
      const client = await openRaw({ url: agent.url, token: agent.token('view') });
      await client.next(event('roblox_auto_closed'));
      await client.close();
    });
  },
);
