import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readConfig } from '../../src/app/config-file.ts';
import { readSmallFile } from '../../src/app/small-file.ts';

const root = mkdtempSync(join(tmpdir(), 'playwarden-small-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('a regular file is read, through a link too', () => {
  writeFileSync(join(root, 'file'), 'text');
  execFileSync('ln', ['-s', 'file', join(root, 'link')]);
  expect([readSmallFile(join(root, 'file')), readSmallFile(join(root, 'link'))]).toEqual(['text', 'text']);
});

test.runIf(process.platform === 'linux').each([
  ['a named pipe that nobody writes to', 'mkfifo', 'it is not a regular file'],
  ['a device that never ends', '/dev/zero', 'it is not a regular file'],
  ['a directory', 'mkdir', 'it is not a regular file'],
  ['a file of 1 GiB', 'truncate -s 1G', 'it is larger than 1 MiB'],
])('C9: %s is refused with one sentence, and nothing waits for it', (_what, make, why) => {
  const path = make.startsWith('/') ? make : join(root, make.slice(0, 5));
  if (path !== make) execFileSync('sh', ['-c', `${make} "$0"`, path]);
  expect(readConfig(path, '')).toMatchObject({
    ok: false,
    errors: [{ path: '$', message: `the file cannot be read (${why})` }],
  });
});
