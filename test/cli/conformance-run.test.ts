/** `npm run conformance` called in a way that leads nowhere: a sentence and 64, as the command line itself. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const RUN = fileURLToPath(new URL('../conformance/run.mjs', import.meta.url));

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'playwarden-conformance-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function conformance(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [RUN, ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

test.each([[['--help']], [['--speed', '1']], [['fast']], [['--url']]])('%o: how it is called', (args) => {
  expect(conformance(...args)).toEqual({
    status: 64,
    stdout: '',
    stderr: expect.stringMatching(/^npm run conformance -- .+\n$/),
  });
});

test.each([
  ['without an agent', null, 'ENOENT'],
  ['whose agent.json is half a file', '{"port":', 'it is not JSON'],
])('a directory %s is told with what to do', (_how, text, why) => {
  const file = join(root, 'agent.json');
  if (text !== null) writeFileSync(file, text);
  const stderr = `${file} cannot be read (${why}): name the --data-dir of an agent that runs.\n`;
  expect(conformance('--data-dir', root)).toEqual({ status: 64, stdout: '', stderr });
});
