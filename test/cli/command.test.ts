/** `playwarden command …` from outside: what a parent reads, and how long it waits for a slow close. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Agent, startAgent } from '../helpers/agent.ts';
import { runCli, STACK_TRACE } from '../helpers/cli.ts';
import { gameConfig, startGame, uniqueGameName } from '../helpers/game.ts';
import { type Given, type StandIn, standIn } from '../helpers/stand-in-agent.ts';

let root = '';
let dataDir = '';
let agent: Agent | null = null;
let other: StandIn | null = null;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'playwarden-command-'));
  dataDir = join(root, 'data');
});
afterEach(async () => {
  await agent?.dispose();
  await other?.stop();
  agent = null;
  other = null;
  rmSync(root, { recursive: true, force: true });
});

const command = (...args: string[]) => runCli(['command', ...args, '--data-dir', dataDir]);

describe('while a game is played', () => {
  test('status names it, and what changes a limit does not take its own game for it', async () => {
    const name = uniqueGameName();
    agent = await startAgent({ dataDir, config: gameConfig(name) });
    const game = await startGame(name);
    await expect.poll(async () => (await command('status')).stdout).toContain('Playing roblox.');
    const extended = await command('extend-time', '5');
    expect(extended).toMatchObject({ code: 0, stderr: '' });
    expect(extended.stdout).toMatch(/^Playing\.$/m);
    expect((await command('set-limit', '90', '--game', 'roblox')).stdout).toMatch(/^Playing\.$/m);
    await game.stop();
  });
});

describe('force-close', () => {
  const answers = async (given: Partial<Given> & { readonly result?: object; readonly said?: string }) => {
    const { result = {}, said = 'success', ...more } = given;
    const body = { status: said, command: 'force_close', command_id: 'x', duplicate: false, result };
    other = await standIn(dataDir, () => ({ body, ...more }));
    return command('force-close');
  };

  test('C5: a command that failed before it reached anything is told in a sentence: 1', async () => {
    const problem = { type: 'urn:playwarden:problem:unavailable', detail: 'The executor is restarting.' };
    const ended = await answers({ said: 'error', result: { outcome: 'failed', problem } });
    expect(ended).toMatchObject({ code: 1, stdout: 'The executor is restarting.\n', stderr: '' });
  });

  test('K4: a close may take as long as close_wait_seconds says: its end is awaited', async () => {
    const processes = [{ pid: 7, name: 'game', outcome: 'closed', waited_ms: 16_000 }];
    const ended = await answers({ result: { outcome: 'closed', processes }, afterMs: 16_000 });
    expect(ended).toMatchObject({ code: 0, stdout: 'game (pid 7) closed\n' });
  }, 30_000);
});

describe('C5: what answers speaks otherwise than this program', () => {
  const timestamp = '2026-01-01T00:00:00.000Z';
  test.each([
    [['command', 'status'], 69],
    [['report'], 69],
    [['doctor'], 1],
  ])('%o says so in a sentence, with both versions', async (args, expected) => {
    other = await standIn(dataDir, () => ({ body: { status: 'success', timestamp } }));
    const { code, stdout, stderr } = await runCli([...args, '--data-dir', dataDir]);
    expect(code).toBe(expected);
    expect(stdout + stderr).toMatch(/it is of version \S+ and answers in another form .* version \S+ reads/);
    expect(stderr).not.toMatch(STACK_TRACE);
  });
});

test.each([['Infinity'], [' '], ['1e999']])(
  'C5: set-limit "%s" is a mistake of usage: 64',
  async (minutes) => {
    const { code, stderr } = await command('set-limit', minutes);
    expect(code).toBe(64);
    expect(stderr).toContain('is not a number of minutes');
    expect(stderr).not.toMatch(STACK_TRACE);
  },
);
