/** Bundles a TypeScript worker for a test: Node 20 loads no TypeScript in a thread. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const made: string[] = [];

/** The URL of a bundle of that file, whose path is relative to `test/`. */
export async function bundleWorker(path: string): Promise<URL> {
  const dir = await mkdtemp(join(tmpdir(), 'playwarden-bundle-'));
  made.push(dir);
  const outfile = join(dir, `${basename(path, '.ts')}.mjs`);
  await build({
    entryPoints: [fileURLToPath(new URL(`../${path}`, import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    logLevel: 'silent',
  });
  return pathToFileURL(outfile);
}

/** For afterAll: removes what this file's tests have bundled. */
export async function removeBundles(): Promise<void> {
  await Promise.all(made.splice(0).map((dir) => rm(dir, { recursive: true, force: true })));
}
