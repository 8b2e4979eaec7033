// Tests run from source: the private condition makes `@striper/x` mean packages/x/src.
import { defineConfig } from 'vitest/config'

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  ssr: { resolve: { conditions: ['@striper/source'] } },
  test: {
    include: [
      'packages/*/test/**/*.test.ts',
      'examples/test/**/*.test.ts',
      'bench/test/**/*.test.ts',
    ],
    pool: 'forks', // sockets, signals and file descriptors want a process of their own
    maxWorkers: 2,
    testTimeout: 20_000,
    execArgv: ['--expose-gc'],
  },
})
