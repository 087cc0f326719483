/** C5: a package that is missing, or whose native part does not load, is one sentence and 69, never a stack trace. */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { STACK_TRACE } from '../helpers/cli.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PACKAGES = Object.keys(
  (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { dependencies: object }).dependencies,
);

let home = '';
beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'playwarden-packages-')));
  cpSync(join(ROOT, 'dist'), join(home, 'dist'), { recursive: true });
  writeFileSync(join(home, 'package.json'), '{ "type": "module" }');
  for (const name of PACKAGES) link(name);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const placeOf = (name: string) => join(home, 'node_modules', name);

function link(name: string): void {
  mkdirSync(dirname(placeOf(name)), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules', name), placeOf(name));
}

function run() {
  const args = [join(home, 'dist/cli.js'), 'run', '--port', '0', '--data-dir', join(home, 'data')];
  // Ends by itself where nothing is missing after all: the test then fails.
  return spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 20_000 });
}

test.each(['commander', 'pino', 'libsql', 'piscina'])('%s is not there', (name) => {
  rmSync(placeOf(name));
  const { status, stderr } = run();
  expect(stderr).toMatch(
    new RegExp(`^The program is not whole \\(.*'${name}'.*\\): run "npm ci" in ${home}/?\\.\n$`),
  );
  expect(status).toBe(69);
});

test('the native part of the database does not load', () => {
  rmSync(placeOf('libsql'));
  cpSync(join(ROOT, 'node_modules/libsql'), placeOf('libsql'), { recursive: true });
  link('detect-libc');
  link('@neon-rs/load');
  const { status, stderr } = run();
  expect(stderr).toMatch(/^The program is not whole \(.*@libsql\/.*\): run "npm ci" in .*\n$/);
  expect(stderr).not.toMatch(STACK_TRACE);
  expect(status).toBe(69);
});

test.runIf(process.platform !== 'win32')('too few open files are allowed', () => {
  const { status, stderr } = spawnSync(
    'bash',
    [
      '-c',
      `ulimit -n 34; exec "${process.execPath}" "${join(ROOT, 'dist/cli.js')}" run --port 0 --data-dir "${home}/data"`,
    ],
    { encoding: 'utf8', timeout: 20_000 },
  );
  expect(stderr).toMatch(/^EMFILE: .*: raise the limit of open files \(ulimit -n 1024\)\.\n$/);
  expect(status).toBe(69);
});
