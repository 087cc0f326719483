/** Room on disk of a production install: what `npm ci --omit=dev` leaves of the lock's packages here, and a build. */
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Case } from '../harness/bench.ts';
import { workFolder } from '../harness/native.ts';

interface Lock {
  readonly packages: Readonly<Record<string, { readonly dev?: true }>>;
}

/** Files of a folder, MB; packages inside it are counted by themselves. */
function filesMb(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += entry.name === 'node_modules' ? 0 : filesMb(path) * 2 ** 20;
    else bytes += lstatSync(path).size;
  }
  return bytes / 2 ** 20;
}

export const install: Case = {
  name: 'install',
  deadlineMs: 30_000,
  async run(bench) {
    const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as Lock;
    // Packages for other platforms are in the lock and not on the disk.
    const production = Object.keys(packages).filter(
      (path) => path && !packages[path]?.dev && existsSync(path),
    );
    const sizes = production
      .map((path) => ({ name: path.replace(/^.*node_modules\//, ''), mb: filesMb(path) }))
      .sort((a, b) => b.mb - a.mb);
    const packagesMb = sizes.reduce((sum, { mb }) => sum + mb, 0);
    const largest = sizes.slice(0, 4).map(({ name, mb }) => `${name} ${mb.toFixed(1)} MB`);
    // dist itself also holds what earlier builds left.
    const built = join(workFolder(), 'dist');
    execFileSync('npm', ['run', 'build', '--', `--outdir=${built}`], { stdio: 'ignore' });
    const distMb = filesMb(built);
    bench.record('whole', 'production install', packagesMb + distMb, 'MB');
    const note = largest.join(', ');
    bench.record('packages', `of that: ${production.length} packages`, packagesMb, 'MB', { note });
    bench.record('dist', 'of that: the build, source maps included', distMb, 'MB');
  },
};
