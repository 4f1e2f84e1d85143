import { defineConfig } from 'vitest/config';

// Our packages run from source; the rest are Vite's defaults.
const conditions = ['ccdash-source', 'module', 'node', 'development|production'];
const shared = { resolve: { conditions }, ssr: { resolve: { conditions } } };

const CONFORMANCE = 'packages/server/test/**/*.conformance.test.ts';
const CRASH = 'packages/server/test/**/*.crash.test.ts';

export default defineConfig({
  test: {
    projects: [
      {
        ...shared,
        test: {
          name: 'unit',
          include: [
            'packages/*/src/**/*.test.ts',
            'packages/{core,api}/test/**/*.test.ts',
            'scripts/*.test.ts',
          ],
          // Generous: a busy machine is no failure, and speed is the benchmarks' business.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        ...shared,
        test: {
          name: 'conformance',
          include: [CONFORMANCE],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        ...shared,
        test: {
          name: 'server',
          include: ['packages/server/test/**/*.test.ts'],
          exclude: [CONFORMANCE, CRASH],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        ...shared,
        test: {
          name: 'browser',
          include: ['packages/web/test/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        ...shared,
        test: {
          name: 'crash',
          include: [CRASH],
          // Processes are killed at chosen points: alone on the machine, after everything else.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
          testTimeout: 180_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
