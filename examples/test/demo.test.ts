// The demonstration, small and fast: its figures are about the machine, so only their shape is
// tested here, and that lanes add up at all.

import { expect, test, vi } from 'vitest'
import { Program } from '../lib/program.ts'

vi.setConfig({ testTimeout: 60_000 }) // a process starts in seconds where others do too

interface Figures {
  single: Record<string, number>
  striped: Record<string, number>
  ratio: number
  sha256Equal: boolean
}

// Slow lanes, and another try: other tests want the processor as well.
const patient = { timeout: 60_000, retry: 2 }

test('--json prints one line with the figures, and lanes add up', patient, async () => {
  const demo = new Program('demo/demo', '--json', '--size', '6', '--cap', '1', '--lanes', '4')
  await demo.exit // 1 where a busy machine makes it slow
  expect(demo.output).toMatch(/^\{.*\}\n$/)
  const { single, striped, ratio, sha256Equal } = JSON.parse(demo.output) as Figures
  expect(sha256Equal).toBe(true)
  expect(single.seconds).toBeGreaterThan(5.9)
  expect(single.megabytesPerSecond).toBeLessThan(1.1)
  expect(striped).toMatchObject({ lanes: 4, lanesKilled: 1 })
  expect(ratio).toBeGreaterThan(2)
})

test('a wrong option is one sentence and exit code 2', async () => {
  const demo = new Program('demo/demo', '--lanes', '99')
  expect(await demo.exit).toBe(2)
  expect(demo.errors).toBe(
    "demo: --lanes: '99' is not a whole number from 1 to 32; --help says more\n",
  )
})
