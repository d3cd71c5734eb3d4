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
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // The search of all logs for secrets is part of it.
    teardownTimeout: 60_000,
  },
});
