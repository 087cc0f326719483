/** C6, S5: the data directory, its files and their rights. Windows rights: test/windows. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { removeAgentFile, writeAgentFile } from '../../src/app/agent-file.ts';
import { defaultDataDir, prepareDataDir } from '../../src/app/data-dir.ts';
import { loadTokens, rotateTokens } from '../../src/app/tokens.ts';
import { writeWholeFile } from '../../src/app/whole-file.ts';

/** A file that the system does not let be read. */
const failing = vi.hoisted(() => ({ file: '', reason: '' }));
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  const readFileSync = (path: string, encoding: 'utf8') => {
    if (path !== failing.file) return fs.readFileSync(path, encoding);
    throw Object.assign(new Error(`${failing.reason}: open '${path}'`), { code: failing.reason });
  };
  return { ...fs, readFileSync };
});

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'playwarden-dir-'));
});
afterEach(() => {
  failing.file = '';
  rmSync(root, { recursive: true, force: true });
});

const mode = (path: string) => lstatSync(path).mode & 0o777;
const isRoot = process.getuid?.() === 0;

describe('C6: where it is', () => {
  const base = { env: {}, home: '/home/kim', root: false } as const;
  test.each([
    ['linux', { ...base, root: true }, '/var/lib/playwarden'],
    ['linux', base, '/home/kim/.local/state/playwarden'],
    ['linux', { ...base, env: { XDG_STATE_HOME: '/state' } }, '/state/playwarden'],
    ['linux', { ...base, env: { XDG_STATE_HOME: 'state' } }, '/home/kim/.local/state/playwarden'],
    ['darwin', base, '/home/kim/Library/Application Support/Playwarden'],
    ['darwin', { ...base, root: true }, '/Library/Application Support/Playwarden'],
  ] as const)('%s %o', (platform, given, expected) => {
    expect(defaultDataDir({ platform, ...given })).toBe(expected);
  });
});

describe('C6: whether it is ours to trust', () => {
  test.each([
    ['playwarden.db', 'mkfifo'],
    ['store.key', 'mkfifo'],
    ['high-water', 'mkfifo'],
    ['lock.db', 'mkfifo'],
    ['playwarden.db-wal', 'mkdir'],
    ['disk-reserve', 'mkdir'],
    ['last-proven', 'ln -s /dev/null'],
    ['playwarden.db', 'ln -s /dev/null'],
    ['playwarden.db-shm', 'ln -s playwarden.db-shm'],
  ])('C5: in the place of %s there is what %s makes: refused in a sentence', async (name, command) => {
    const dir = await prepareDataDir(join(root, 'data'));
    const [program = '', ...args] = command.split(' ');
    execFileSync(program, [...args, join(dir, name)]);
    const message = expect.stringContaining(`${join(dir, name)} is not a plain file`);
    await expect(prepareDataDir(dir)).rejects.toThrow(expect.objectContaining({ exitCode: 78, message }));
  });

  test('it is made with its parents, closed to others', async () => {
    const dir = await prepareDataDir(join(root, 'a/b'));
    expect(mode(dir)).toBe(isRoot ? 0o711 : 0o700);
  });

  test.each([0o000, 0o077])(
    'its rights, and those of parents it made, do not follow the umask %o',
    async (umask) => {
      const before = process.umask(umask);
      try {
        await prepareDataDir(join(root, 'a/b/c'));
      } finally {
        process.umask(before);
      }
      expect(['a', 'a/b', 'a/b/c'].map((name) => mode(join(root, name)))).toEqual(
        Array(3).fill(isRoot ? 0o711 : 0o700),
      );
    },
  );

  test('one that is there and ours is taken as it is', async () => {
    mkdirSync(join(root, 'mine'), { mode: 0o755 });
    await expect(prepareDataDir(join(root, 'mine'))).resolves.toBe(join(root, 'mine'));
  });

  test.each([0o777, 0o775])(
    'one that others may write in (%o) is refused with the command that mends it',
    async (bits) => {
      const dir = join(root, 'open');
      mkdirSync(dir);
      chmodSync(dir, bits);
      await expect(prepareDataDir(dir)).rejects.toMatchObject({
        exitCode: 78,
        message: expect.stringContaining('chmod 7'),
      });
    },
  );

  test('what only the agent reads is closed again where it came back open; what others put there stays', async () => {
    const names = [
      'playwarden.db',
      'playwarden.db.corrupt-1',
      'store.key',
      'lock.db',
      'config.json',
      'view.token',
    ];
    for (const name of names) {
      writeFileSync(join(root, name), '');
      chmodSync(join(root, name), 0o644);
    }
    await prepareDataDir(root);
    expect(names.map((name) => mode(join(root, name)))).toEqual([0o600, 0o600, 0o600, 0o600, 0o644, 0o644]);
  });

  test('a link is refused', async () => {
    symlinkSync(root, join(root, 'link'));
    await expect(prepareDataDir(join(root, 'link'))).rejects.toMatchObject({ exitCode: 78 });
  });

  test('a file in its place is refused', async () => {
    writeFileSync(join(root, 'file'), '');
    await expect(prepareDataDir(join(root, 'file'))).rejects.toMatchObject({ exitCode: 78 });
  });
});

describe('S5: tokens', () => {
  test('both are made at the first start: 256 bits of base64url, alone in their files', () => {
    const { view, control } = loadTokens(root);
    expect([view, control]).toEqual([
      expect.stringMatching(/^[\w-]{43}$/),
      expect.stringMatching(/^[\w-]{43}$/),
    ]);
    expect(view).not.toBe(control);
    expect(readFileSync(join(root, 'view.token'), 'utf8')).toBe(view);
    expect([mode(join(root, 'view.token')), mode(join(root, 'control.token'))]).toEqual([0o644, 0o600]);
  });

  test('the next start reads the same, a rotation makes others', () => {
    const first = loadTokens(root);
    expect(loadTokens(root)).toEqual(first);
    rotateTokens(root);
    const second = loadTokens(root);
    expect([second.view, second.control]).not.toContain(first.view);
    expect([second.view, second.control]).not.toContain(first.control);
  });

  test.each([
    ['control.token', 0o644],
    ['control.token', 0o620],
    ['view.token', 0o666],
  ])('%s with mode %o is refused with the command that mends it', (name, bits) => {
    loadTokens(root);
    chmodSync(join(root, name), bits);
    expect(() => loadTokens(root)).toThrow(`chmod ${name === 'view.token' ? 644 : 600} ${join(root, name)}`);
  });

  test.each([
    ['EACCES', 78, 'chmod 600 '],
    ['EPERM', 78, 'chmod 600 '],
    ['EIO', 74, 'look at the health of its disk'],
  ])('C5: one that cannot be read (%s) ends with %d and what to do', (reason, exitCode, remedy) => {
    loadTokens(root);
    failing.file = join(root, 'control.token');
    failing.reason = reason;
    const message = expect.stringMatching(`^${failing.file} cannot be read \\(${reason}\\): .*${remedy}`);
    expect(() => loadTokens(root)).toThrow(expect.objectContaining({ exitCode, message }));
  });

  test.each(['', 'short', 'x'.repeat(44)])('a token file that holds %j is refused', (text) => {
    writeFileSync(join(root, 'control.token'), text, { mode: 0o600 });
    expect(() => loadTokens(root)).toThrow('does not hold a token');
  });
});

describe('C3: agent.json', () => {
  const about = {
    pid: 1,
    host: 'localhost',
    port: 2,
    version: '0',
    agent_id: 'a',
    started_at: 's',
    epoch: 'e',
    token_file: 't',
    view_token_file: 'v',
    source: 'procfs',
  };

  test('it is written whole, readable by everybody, with nothing left beside it', () => {
    writeAgentFile(root, about);
    expect(JSON.parse(readFileSync(join(root, 'agent.json'), 'utf8'))).toEqual(about);
    expect(mode(join(root, 'agent.json'))).toBe(0o644);
    expect(readdirSync(root)).toEqual(['agent.json']);
  });

  test('it can be removed, and removing what is gone is no error', () => {
    writeAgentFile(root, about);
    removeAgentFile(root);
    removeAgentFile(root);
    expect(readdirSync(root)).toEqual([]);
  });

  test('a file that cannot be replaced stays as it was', () => {
    mkdirSync(join(root, 'taken'));
    const message = expect.stringMatching(
      /taken cannot be written \(\w+\): it is a directory, move it away\.$/,
    );
    const refused = expect.objectContaining({ exitCode: 74, message });
    expect(() => writeWholeFile(join(root, 'taken'), 'x', 0o600)).toThrow(refused);
    expect(readdirSync(root)).toEqual(['taken']);
  });

  test('C5: room is made for it once; without any it is a disk failure', () => {
    mkdirSync(join(root, 'agent.json'));
    const makeRoom = () => {
      rmSync(join(root, 'agent.json'), { recursive: true });
      return true;
    };
    expect(() => writeAgentFile(root, about)).toThrow(expect.objectContaining({ exitCode: 74 }));
    writeAgentFile(root, about, makeRoom);
    expect(readdirSync(root)).toEqual(['agent.json']);
  });
});
