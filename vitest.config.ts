// Suites. Guests are recorded one at a time per file: a recorded group already uses a core of its own, and tests that
// starve each other measure the scheduler instead of the product.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
  },
});
