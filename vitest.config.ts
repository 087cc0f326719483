/** Test runner settings: two forks on a small machine, generous time-outs, no retries. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // A Wine prefix has the whole disk as its drive Z:.
    exclude: ['test/.wine/**'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 30_000,
    reporters: ['default'],
  },
});
