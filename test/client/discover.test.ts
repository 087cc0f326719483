/** Contract C3, for authors of clients: no token is sent before the pid lives and the port is its. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findEndpoint } from '../../src/client/discover.ts';
import { startGame, uniqueGameName } from '../helpers/game.ts';

let folder = '';
let server: Server;
let port = 0;

function agentJson(over: object = {}): void {
  const file = {
    pid: process.pid,
    host: 'localhost',
    port,
    version: '0.1.0',
    agent_id: 'a',
    started_at: '2026-01-01T00:00:00.000Z',
    epoch: 'e',
    token_file: join(folder, 'control.token'),
    view_token_file: join(folder, 'view.token'),
    source: 'procfs',
    ...over,
  };
  writeFileSync(join(folder, 'agent.json'), JSON.stringify(file));
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'playwarden-discover-'));
  writeFileSync(join(folder, 'control.token'), 'C\n');
  writeFileSync(join(folder, 'view.token'), 'V');
  server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

describe('finding the agent', () => {
  it('C3: gives the address and the token of the role, the strongest readable one by default', async () => {
    agentJson();
    const url = `http://127.0.0.1:${port}`;
    expect(await findEndpoint(folder)).toEqual({ url, token: 'C' });
    expect(await findEndpoint(folder, 'view')).toEqual({ url, token: 'V' });
    rmSync(join(folder, 'control.token'));
    expect(await findEndpoint(folder)).toEqual({ url, token: 'V' });
    await expect(findEndpoint(folder, 'control')).rejects.toThrow('cannot be read');
  });

  it('C3: an agent on ::1 is asked there', async () => {
    agentJson({ host: '::1' });
    expect((await findEndpoint(folder)).url).toBe(`http://[::1]:${port}`);
  });

  it('C3: no file, half a file: not running', async () => {
    await expect(findEndpoint(folder)).rejects.toThrow('no agent runs');
    writeFileSync(join(folder, 'agent.json'), '{"pid":');
    await expect(findEndpoint(folder)).rejects.toThrow('no agent runs');
  });

  it.runIf(process.platform !== 'win32')(
    'C3: named pipes in the place of its files hold nobody',
    async () => {
      execFileSync('mkfifo', [join(folder, 'agent.json')]);
      await expect(findEndpoint(folder)).rejects.toThrow('no agent runs');
      rmSync(join(folder, 'agent.json'));
      agentJson();
      rmSync(join(folder, 'control.token'));
      execFileSync('mkfifo', [join(folder, 'control.token')]);
      expect((await findEndpoint(folder)).token).toBe('V');
    },
  );

  it('C3: a pid that is gone: not running, whoever sits on the port', async () => {
    const game = await startGame(uniqueGameName(), { ms: 1 });
    await game.exited;
    agentJson({ pid: game.pid });
    await expect(findEndpoint(folder)).rejects.toThrow('has ended');
  });

  it.runIf(process.platform === 'linux')('C3: a port of another process gets no token', async () => {
    const other = await startGame(uniqueGameName());
    agentJson({ pid: other.pid });
    await expect(findEndpoint(folder)).rejects.toThrow('does not belong to the agent');
    await other.stop();
  });

  it.runIf(process.platform === 'linux')(
    'C3: another process on the same port of 127.0.0.2 cuts nobody off',
    async () => {
      const listen = `require('node:net').createServer().listen(${port}, '127.0.0.2', () => console.log('on'))`;
      const other = spawn(process.execPath, ['-e', listen], { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(other.stdout, 'data');
      agentJson();
      try {
        expect((await findEndpoint(folder)).url).toBe(`http://127.0.0.1:${port}`);
      } finally {
        other.kill('SIGKILL');
        await once(other, 'exit');
      }
    },
  );
});
