/** Test runner settings: two forks on a small machine, generous time-outs, no retries. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Needs Wine: npm run test:windows.
    exclude: ['test/windows/**', 'test/.wine/**'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 30_000,
    reporters: ['default'],
  },
});
