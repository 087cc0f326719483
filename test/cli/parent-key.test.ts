/** K5: `playwarden parent-key`, from outside: the built command line, configuration files and a real agent. */
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { calculateJwkThumbprint, SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import type { Agent } from '../helpers/agent.ts';
import { http } from '../helpers/http.ts';
import { ownFolder } from '../helpers/own-folder.ts';

const { inFolder, agentOf, cli } = ownFolder();
const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const canMount = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

describe('K5: parent-key', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const jwk = publicKey.export({ format: 'jwk' });
  const keyFile = (value: unknown) => {
    const file = inFolder('key.json');
    writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value));
    return file;
  };
  const unsigned = (agent: Agent) =>
    http({
      url: agent.url,
      path: '/desktop/command',
      token: agent.token('control'),
      body: { command: 'resume' },
    });

  test('add prints the thumbprint, the running agent wants signatures at once; remove takes it back', async () => {
    const agent = await agentOf();
    const print = await calculateJwkThumbprint(jwk);
    const added = await cli('parent-key', 'add', keyFile(jwk));
    expect(added).toMatchObject({ code: 0, stderr: '' });
    expect(added.stdout).toContain(print);
    expect((await unsigned(agent)).status).toBe(403);
    expect(statSync(inFolder('data/config.json')).mode & 0o777).toBe(0o600);

    expect((await cli('parent-key', 'add', keyFile(jwk))).stdout).toContain('already');
    expect((await cli('parent-key', 'list')).stdout).toBe(`${print}\n`);
    expect(await cli('parent-key', 'remove', print.slice(0, 8))).toMatchObject({ code: 0 });
    expect((await unsigned(agent)).status).toBe(200);
    expect((await cli('parent-key', 'list')).stdout).toBe('No parent key is enrolled.\n');
  });

  test('a second key is taken by the running agent too, and each goes by itself', async () => {
    const agent = await agentOf();
    const pairs = [1, 2].map(() => generateKeyPairSync('ed25519'));
    const signedBy = async (n: number) => {
      const payload = { command: 'resume', command_id: randomUUID(), aud: agent.json().agent_id };
      const jwt = new SignJWT(payload).setIssuedAt().setExpirationTime('1m');
      const jws = await jwt.setProtectedHeader({ alg: 'EdDSA' }).sign(pairs[n]!.privateKey);
      const token = agent.token('view');
      return (await http({ url: agent.url, path: '/desktop/command', token, body: { jws } })).status;
    };
    const prints = [];
    for (const { publicKey: key } of pairs) {
      const file = keyFile(key.export({ type: 'spki', format: 'pem' }).toString());
      expect((await cli('parent-key', 'add', file)).stdout).toContain('has taken it');
      prints.push(await calculateJwkThumbprint(key.export({ format: 'jwk' })));
    }
    expect([await signedBy(0), await signedBy(1)]).toEqual([200, 200]);
    const removed = await cli('parent-key', 'remove', prints[0] ?? '');
    expect(removed).toMatchObject({ code: 0, stdout: expect.stringContaining('has taken it') });
    expect([await signedBy(0), await signedBy(1)]).toEqual([403, 200]);
    expect((await unsigned(agent)).status).toBe(403);
  });

  test('a file named with --config keeps what else is in it, and its rights', async () => {
    const file = inFolder('config.json');
    writeFileSync(file, '{\n    "profiles": { "kim": {} }\n}', { mode: 0o640 });
    chmodSync(file, 0o640);
    const { code, stdout } = await cli('parent-key', 'add', keyFile(jwk), '--config', file);
    expect(code).toBe(0);
    expect(stdout).toContain('No agent runs');
    const after = JSON.parse(readFileSync(file, 'utf8'));
    expect(after).toEqual({ profiles: { kim: {} }, security: { parent_keys: [jwk] } });
    expect(statSync(file).mode & 0o777).toBe(0o640);
  });

  test('an agent that reads another file does not take it: that is told, and nothing is left of the attempt', async () => {
    const agent = await agentOf({ config: {} });
    const { code, stdout, stderr } = await cli('parent-key', 'add', keyFile(jwk));
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('another configuration');
    expect(existsSync(inFolder('data/config.json'))).toBe(false);
    const status = await http({ url: agent.url, path: '/desktop/status', token: agent.token('view') });
    const rejected = Object.values<number>(status.json.agent.rejected_signatures);
    expect(rejected.reduce((sum, n) => sum + n, 0)).toBeLessThanOrEqual(1);
  });

  test.each(['add', 'remove'])(
    '%s in a file that the agent does not read leaves it as it was',
    async (what) => {
      await agentOf({ config: { security: { parent_keys: what === 'remove' ? [jwk] : [] } } });
      const file = inFolder('other.json');
      const text = JSON.stringify({ security: { parent_keys: what === 'remove' ? [jwk] : [] } }, null, 3);
      writeFileSync(file, text);
      const given = what === 'add' ? keyFile(jwk) : await calculateJwkThumbprint(jwk);
      expect((await cli('parent-key', what, given, '--config', file)).code).toBe(1);
      expect(readFileSync(file, 'utf8')).toBe(text);
    },
  );

  test('C4: an agent that refuses its own file is told with the problems: 78, and nothing is left of the attempt', async () => {
    const agent = await agentOf({ config: {} });
    agent.writeConfig({ colour: 'red' });
    const { code, stderr } = await cli('parent-key', 'add', keyFile(jwk));
    expect(code).toBe(78);
    expect(stderr).toContain('colour');
    expect(existsSync(inFolder('data/config.json'))).toBe(false);
  });

  test.each([
    ['a private key', () => privateKey.export({ format: 'jwk' })],
    ['a private PEM', () => privateKey.export({ format: 'pem', type: 'pkcs8' })],
    ['no key', () => 'hello'],
  ])('%s is refused with 64 and nothing is written', async (_title, value) => {
    const { code, stderr } = await cli('parent-key', 'add', keyFile(value()));
    expect(code).toBe(64);
    expect(stderr).not.toContain(String(privateKey.export({ format: 'jwk' }).d));
    expect(existsSync(inFolder('data/config.json'))).toBe(false);
  });

  test('a configuration that does not hold is left as it was: 78', async () => {
    const file = inFolder('config.json');
    writeFileSync(file, '{"colour":"red"}');
    expect((await cli('parent-key', 'add', keyFile(jwk), '--config', file)).code).toBe(78);
    expect(readFileSync(file, 'utf8')).toBe('{"colour":"red"}');
  });

  test.each(['add', 'remove'])('%s destroys nothing that it does not understand', async (what) => {
    const file = inFolder('config.json');
    const other = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
    const mine = what === 'remove' ? [jwk] : [];
    const entry = { ...other, use: 'sig', note: 'the blue phone' };
    writeFileSync(file, JSON.stringify({ security: { parent_keys: [entry, ...mine] } }));
    const given = what === 'add' ? keyFile(jwk) : await calculateJwkThumbprint(jwk);
    expect((await cli('parent-key', what, given, '--config', file)).code).toBe(0);
    const { security } = JSON.parse(readFileSync(file, 'utf8'));
    expect(security.parent_keys).toEqual(what === 'add' ? [entry, jwk] : [entry]);

    const broken = JSON.stringify({ security: { parent_keys: [{ kty: 'OKP' }, ...mine] } });
    writeFileSync(file, broken);
    expect((await cli('parent-key', what, given, '--config', file)).code).toBe(78);
    expect(readFileSync(file, 'utf8')).toBe(broken);
  });

  test('an agent that does not answer has not taken it, as far as anybody knows: 1', async () => {
    const agent = await agentOf();
    await cli('parent-key', 'add', keyFile(jwk));
    agent.signal('SIGSTOP');
    const { code, stdout, stderr } = await cli('parent-key', 'remove', await calculateJwkThumbprint(jwk));
    agent.signal('SIGCONT');
    expect(code).toBe(1);
    expect(stdout).not.toContain('has taken it');
    expect(stderr).toMatch(/^The running agent .* is not known\.\n$/);
  });

  test.each([['list'], ['remove', 'abcdef']])(
    'C5: %s with a file as --data-dir is told in a sentence: 78',
    async (...args) => {
      const { code, stderr } = await cli('parent-key', ...args, '--data-dir', keyFile(jwk));
      expect(code).toBe(78);
      expect(stderr).toMatch(/^\S+ cannot be read \(ENOTDIR\)\.\n$/);
    },
  );

  describe.runIf(canMount)('C5: a configuration that cannot be written', () => {
    const add = (...args: string[]) => [process.execPath, CLI, 'parent-key', 'add', keyFile(jwk), ...args];

    test.each([
      ['read-only', 'mount -o remount,ro "$0"', 'EROFS', 'make its disk writable again'],
      ['full', 'cat /dev/zero >"$0/fill" 2>/dev/null', 'ENOSPC', 'free some room on its disk'],
    ])('on a disk that is %s is told with what to do: 74', (_name, then, reason, remedy) => {
      const dir = inFolder('data');
      mkdirSync(dir);
      const script = `mount -t tmpfs -o size=64k,mode=711 tmpfs "$0"; ${then}; exec "$@"`;
      const line = ['-m', 'sh', '-c', script, dir, ...add('--data-dir', dir)];
      const { status, stderr } = spawnSync('unshare', line, { encoding: 'utf8' });
      const said = `${dir}/config.json cannot be written (${reason}): ${remedy}.\n`;
      expect({ status, stderr }).toEqual({ status: 74, stderr: said });
    });

    test("of another account is that account's to write: 78", () => {
      const file = inFolder('config.json');
      chmodSync(inFolder(''), 0o755);
      writeFileSync(file, '{}', { mode: 0o644 });
      const [node = '', ...line] = add('--config', file);
      const { status, stderr } = spawnSync(node, line, { uid: 65_534, cwd: '/', encoding: 'utf8' });
      const said = `${file} cannot be written (EACCES): run this as the account of the agent.\n`;
      expect({ status, stderr }).toEqual({ status: 78, stderr: said });
    });
  });

  /** Keys by the beginnings of their thumbprints. */
  const DASHED: readonly [start: string, x: string][] = [
    ['-j-fx9', 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEmU'],
    ['-Vu2Ya', 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABno'],
    ['-hIKsd', 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAgw'],
    ['--EC1qRss2_9G3ycxatzDXRgq5g5xgjA5K7VVaeWdeI', 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAtA'],
  ];
  test.each(DASHED)('remove takes a thumbprint that begins with a dash: %s', async (start, x) => {
    const dir = inFolder('elsewhere');
    mkdirSync(dir);
    const file = join(dir, 'config.json');
    writeFileSync(file, JSON.stringify({ security: { parent_keys: [jwk, { ...jwk, x }] } }));
    const removed = await cli('parent-key', 'remove', start, '--data-dir', dir);
    expect(removed).toMatchObject({ code: 0, stderr: '' });
    expect(removed.stdout).toContain(`Removed from ${file}: ${start}`);
    expect(JSON.parse(readFileSync(file, 'utf8')).security.parent_keys).toEqual([jwk]);
  });

  test.each([
    [['--confg', 'c.json', 'abcdef']],
    [['--confg']],
    [['--confg=c.json']],
    [['abcdef', '--confg']],
  ])(
    'an option of remove that is mistyped is a mistake of usage, and nothing is removed: %o',
    async (args) => {
      mkdirSync(inFolder('data'));
      const text = JSON.stringify({ security: { parent_keys: [jwk] } });
      writeFileSync(inFolder('data/config.json'), text);
      const { code, stdout, stderr } = await cli('parent-key', 'remove', ...args);
      expect([code, stdout]).toEqual([64, '']);
      expect(stderr).toMatch(/^error: /);
      expect(readFileSync(inFolder('data/config.json'), 'utf8')).toBe(text);
    },
  );

  test.each(['nothing', ''])('remove of "%s" that names no key is 64', async (prefix) => {
    expect((await cli('parent-key', 'remove', prefix)).code).toBe(64);
  });
});
