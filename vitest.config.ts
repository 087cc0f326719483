/** Test runner settings: two forks on a small machine, no retries, and time-outs that a far slower machine keeps. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Needs Wine: npm run test:windows.
    exclude: ['test/windows/**', 'test/.wine/**'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 20_000 } },
    reporters: ['default'],
  },
});
