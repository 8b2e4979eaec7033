// The network of virtual time.

import { expect, test } from 'vitest'
import { SimLine, SimPath, World } from '../src/sim.ts'

test('regression: what began at a low rate goes on at the new one', () => {
  const world = new World()
  const path = new SimPath({ bytesPerMs: 10, delayMs: 5, bufferBytes: 100 })
  const [arrived, drained]: [number[], number[]] = [[], []]
  const line = new SimLine(
    world,
    path,
    0,
    () => arrived.push(world.now),
    () => drained.push(world.now),
  )
  world.at(0, () => line.send(Buffer.alloc(999))) // 1000 with what each message costs: 100 ms
  world.at(10, () => (path.bytesPerMs = 0.1)) // 900 are left
  world.at(1010, () => (path.bytesPerMs = 8)) // 800 are left
  world.at(1020, () => path.stall(0, true)) // what has been begun is not stopped: it has gone
  world.at(1030, () => path.heal()) // 640 are left, at 10 again
  while (world.step());
  expect(arrived).toEqual([1030 + 64 + 5])
  expect(drained).toEqual([1030 + 64])
})

test('regression: what is sent behind a full buffer, where there is room again, takes no drain away', () => {
  const world = new World()
  const path = new SimPath({ bytesPerMs: 1, delayMs: 0, bufferBytes: 100 })
  const drained: number[] = []
  const line = new SimLine(
    world,
    path,
    0,
    () => undefined,
    () => drained.push(world.now),
  )
  expect([line.send(Buffer.alloc(59)), line.send(Buffer.alloc(59))]).toEqual([true, false])
  world.at(61, () => expect(line.send(Buffer.alloc(9))).toBe(true)) // 59 are left of the two
  while (world.step());
  expect(drained).toEqual([120])
})
