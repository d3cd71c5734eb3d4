import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // `npm run test:long` has a configuration of its own.
    exclude: [...configDefaults.exclude, 'test/long/**'],
    globalSetup: ['test/setup/global.ts'],
    // Node itself loads the modules: through Vite's runner the graphql package would be there twice.
    experimental: { viteModuleRunner: false },
    pool: 'forks',
    // The files of a worker share the modules: to load them anew took longer than most files' tests. No module of ours keeps
    // what another file's server would meet.
    isolate: false,
    maxWorkers: 2,
    // More than the half minute after which a browser's wait says what it waited for.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // What has to be there within a second says so itself; all else may take its time on a busy machine.
    expect: { poll: { timeout: 10_000 } },
    // The search of all logs for secrets is part of it.
    teardownTimeout: 60_000,
  },
});
