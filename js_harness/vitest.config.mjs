import {defineConfig} from 'vitest/config';

export default defineConfig({
  test: {
    include: ['js_harness/test/**/*.test.js'],
    environment: 'node',
    restoreMocks: true,
  },
});
