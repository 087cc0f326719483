/**
 * `npm run test:windows [-- FILTER]`: the Windows side, run for real under Wine. Where Wine is missing it says so
 * and does nothing; in CI that is a failure.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { startVitest } from 'vitest/node';

/** Command → the Debian package it comes with. */
const TOOLS = {
  wine: 'wine',
  wineserver: 'wine64',
  'x86_64-w64-mingw32-gcc': 'gcc-mingw-w64-x86-64',
};

const path = (process.env.PATH ?? '').split(':');
const found = (command) => path.some((dir) => existsSync(join(dir, command)));
const missing = Object.entries(TOOLS).flatMap(([command, name]) => (found(command) ? [] : [name]));
if (missing.length > 0) {
  const mend = `apt-get install --no-install-recommends ${missing.join(' ')}`;
  console.log(`windows: skipped, since ${missing.join(', ')} is not installed (${mend})`);
  process.exit(process.env.CI === 'true' ? 1 : 0);
}

const vitest = await startVitest('test', process.argv.slice(2), {
  config: false,
  watch: false,
  include: ['test/windows/*.test.ts'],
  globalSetup: ['test/windows/setup.ts'],
  pool: 'forks',
  // One Windows: the tests look at the processes in it.
  fileParallelism: false,
  testTimeout: 120_000,
  hookTimeout: 120_000,
  expect: { poll: { timeout: 50_000 } },
});
await vitest.close();
