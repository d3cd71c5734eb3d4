import { defineConfig } from 'vitest/config';
import config from './vitest.config.ts';

/** The tests that take longest, most of which kill, freeze and restart real processes: one file at a time. */
export default defineConfig({
  test: {
    ...config.test,
    include: ['test/long/**/*.test.ts'],
    exclude: [],
    maxWorkers: 1,
    isolate: true,
    testTimeout: 180_000,
    hookTimeout: 60_000,
  },
});
