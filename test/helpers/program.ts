/** Bundles a TypeScript program of the tests, to be run as a process of its own; native packages stay outside. */
import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../../', import.meta.url));
/** Below node_modules, so that what is not bundled is found. */
const folder = join(root, `node_modules/.cache/playwarden/programs-${process.pid}`);

/** The path of the bundle; `path` is relative to `test/`. */
export async function buildProgram(path: string): Promise<string> {
  const outfile = join(folder, `${basename(path, '.ts')}.mjs`);
  await build({
    entryPoints: [join(root, 'test', path)],
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    outfile,
  });
  return outfile;
}

/** For afterAll: removes what this file's tests have built. */
export function removePrograms(): void {
  rmSync(folder, { recursive: true, force: true });
}
