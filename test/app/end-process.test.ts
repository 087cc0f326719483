/** A thread that hangs in a native call does not keep the process. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundleWorker, removeBundles } from '../helpers/bundle.ts';

const root = mkdtempSync(join(tmpdir(), 'playwarden-end-'));
const pipe = join(root, 'pipe');
let script: string;

beforeAll(async () => {
  execFileSync('mkfifo', [pipe]);
  script = fileURLToPath(await bundleWorker('fixtures/hanging-thread.ts'));
  symlinkSync(
    fileURLToPath(new URL('../../node_modules', import.meta.url)),
    join(dirname(script), 'node_modules'),
  );
});
afterAll(async () => {
  await removeBundles();
  rmSync(root, { recursive: true, force: true });
});

function ended(...args: string[]): { readonly end: Promise<unknown>; kill(): void } {
  const child = spawn(process.execPath, [script, pipe, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (text) => {
    said += text;
  });
  const end = new Promise((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal, said })),
  );
  return { end, kill: () => child.kill('SIGKILL') };
}

test('C4: it ends with its code, and what is to be done at an exit is done', async () => {
  const { end } = ended('7');
  expect(await end).toEqual({ code: 7, signal: null, said: 'exit handlers ran\n' });
});

test('process.exit() waits for such a thread: that is why', async () => {
  const { end, kill } = ended('7', 'plain');
  const timer = setTimeout(kill, 3_000);
  expect(await end).toMatchObject({ code: null, signal: 'SIGKILL' });
  clearTimeout(timer);
});
