// examples/stack.ts as a child process.

import { expect, test, vi } from 'vitest'
import { Program } from '../lib/program.ts'

vi.setConfig({ testTimeout: 60_000 }) // a process starts in seconds where others do too

test('three messages arrive through a layer of its own, and both stacks are shown', async () => {
  const program = new Program('stack')
  expect(await program.exit).toBe(0)
  const { output } = program
  for (const message of ["server reads 'one'", "server reads ''", "client reads 'thank you'"]) {
    expect(output).toContain(message)
  }
  expect(output).toMatch(/frame\(crc\(tap\(tcp#1\)\)\) {2}messages, 9 bytes in, 8 out\n {2}crc\(/)
  expect(output).toMatch(/client's stack, from 127\.0\.0\.1:\d+ to 127\.0\.0\.1:\d+/)
})

test('a damaged byte fails the server with its cause, and the client with a reset', async () => {
  const program = new Program('stack', '--damage', '13')
  expect(await program.exit).toBe(0)
  expect(program.output).toContain('server fails: frame(crc(tap(tcp#2))): damaged block')
  expect(program.output).toMatch(/client fails: .*ECONNRESET/)
  expect(program.output).not.toContain('server reads')
})
