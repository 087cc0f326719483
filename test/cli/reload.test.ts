/** C4: `playwarden reload` says what came of it, from outside: the built command line and a real agent. */
import { rmSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { http } from '../helpers/http.ts';
import { ownFolder } from '../helpers/own-folder.ts';
import { standIn } from '../helpers/stand-in-agent.ts';

const { inFolder, agentOf, cli } = ownFolder();
const BAD = { profiles: { kim: { daily_limit_minutes: -5, grace_seconds: -1 } } };

describe('C4: reload', () => {
  test('of a configuration that holds says "reloaded": 0', async () => {
    await agentOf({ config: {} });
    expect(await cli('reload')).toEqual({ code: 0, stdout: 'reloaded\n', stderr: '' });
  });

  test('names what only a restart can change', async () => {
    const agent = await agentOf({ config: {} });
    agent.writeConfig({ desktop_client: { websocket: { host: '127.0.0.1' } } });
    const { code, stdout } = await cli('reload');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: 'reloaded\nhost cannot be reloaded: restart the agent for that.\n',
    });
  });

  test('of one that does not hold tells every problem, and that it is refused: 78', async () => {
    const agent = await agentOf({ config: {} });
    agent.writeConfig(BAD);
    const { code, stdout, stderr } = await cli('reload');
    expect([code, stdout]).toEqual([78, '']);
    expect(stderr).toMatch(
      /^The agent refused \S+config\.json; .*:\nprofiles\.kim\.daily_limit_minutes: .*\nprofiles\.kim\.grace_seconds: .*\n$/,
    );
  });

  test('a refusal stays a reason of health, and a problem for doctor, until a good reload', async () => {
    const agent = await agentOf({ config: {} });
    const health = async () => (await http({ url: agent.url, path: '/health' })).json.status;
    const reasons = async () => {
      const answer = await http({ url: agent.url, path: '/desktop/status', token: agent.token('view') });
      return answer.json.agent.health;
    };
    agent.writeConfig(BAD);
    await cli('reload');
    expect(await health()).toBe('degraded');
    expect(await reasons()).toEqual([expect.stringContaining(agent.configFile)]);
    const { findings } = JSON.parse((await cli('doctor', '--json')).stdout);
    expect(findings).toContainEqual({
      check: 'health',
      verdict: 'problem',
      said: expect.stringContaining('was refused at the last reload'),
      remedy: `playwarden config check ${agent.configFile}; then playwarden reload`,
    });

    agent.writeConfig({});
    expect((await cli('reload')).code).toBe(0);
    expect([await health(), await reasons()]).toEqual(['healthy', []]);
  });

  test('each of several says what came of it', async () => {
    const agent = await agentOf({ config: {} });
    const both = await Promise.all([cli('reload'), cli('reload')]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    agent.writeConfig(BAD);
    expect((await cli('reload')).code).toBe(78);
  });

  test('knows the outcome though the agent does not take the token yet that stands in its file', async () => {
    const agent = await agentOf({ config: {} });
    writeFileSync(agent.json().token_file, 'A'.repeat(43));
    expect(await cli('reload')).toEqual({ code: 0, stdout: 'reloaded\n', stderr: '' });
  });

  test.runIf(process.getuid?.() !== undefined)(
    'an account that may signal the agent but not read its tokens is told where the outcome stands: 0',
    async () => {
      const agent = await agentOf({ config: {} });
      const { token_file, view_token_file } = agent.json();
      for (const file of [token_file, view_token_file]) rmSync(file);
      agent.writeConfig(BAD);
      const { code, stdout } = await cli('reload');
      expect(code).toBe(0);
      expect(stdout).toMatch(/^The agent .* was told\. .* its log\.\n$/);
      await expect.poll(() => agent.stderr).toContain('refused');
    },
  );

  test('an agent that does not answer is told in a sentence: 69', async () => {
    const agent = await agentOf({ config: {} });
    agent.signal('SIGSTOP');
    const { code, stdout, stderr } = await cli('reload');
    agent.signal('SIGCONT');
    expect([code, stdout]).toEqual([69, '']);
    expect(stderr).toMatch(
      /^The agent \(pid \d+\) was told, but did not say within 10 s what came of it: .*\n$/,
    );
  });

  test('an answer that says nothing of reloads is none: 69', async () => {
    process.once('SIGHUP', () => {});
    const agent = await standIn(inFolder('data'), () => ({ body: { status: 'success' } }));
    const { code, stderr } = await cli('reload');
    await agent.stop();
    expect(code).toBe(69);
    expect(stderr).toMatch(/does not say what came of it/);
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});
