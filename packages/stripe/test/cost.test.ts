// What a byte costs does not grow with the number of lanes: on the wire, and in work.

import { reassemble } from '@striper/reassemble'
import type { StripeOptions } from '@striper/stripe'
import { expect, test } from 'vitest'
import { memoryLanes, openStripes } from './scene.ts'

const BYTES = 16 * 1024 * 1024

interface Cost {
  /** Bytes on the lanes, both ways, for each byte of the stream. */
  wire: number
  /** Microseconds of CPU, both ends. */
  cpu: number
}

/** A stream over so many lanes. */
async function stream(lanes: number, options: StripeOptions = {}): Promise<Cost> {
  const pairs = memoryLanes(lanes)
  const [near, far] = await openStripes(pairs, options)
  const before = process.cpuUsage()
  const [writer, reader] = [reassemble()(near), reassemble()(far)]
  const chunk = Buffer.alloc(64 * 1024)
  let left = BYTES
  const fill = () => {
    while (left > 0 && writer.write(chunk)) left -= chunk.length
    if (left > 0) left -= chunk.length // it was taken all the same
    if (left <= 0) writer.off('drain', fill).end()
  }
  writer.on('drain', fill).resume()
  fill()
  reader.resume().once('end', () => reader.end())
  await Promise.all(
    [writer, reader].map(pipe => new Promise(resolve => pipe.once('close', resolve))),
  )
  expect([writer.errored, reader.stats.bytesIn]).toEqual([null, BYTES])
  const { user, system } = process.cpuUsage(before)
  const wire = pairs.flat().reduce((sum, pipe) => sum + pipe.stats.bytesOut, 0)
  return { wire: wire / BYTES, cpu: user + system }
}

test('32 lanes cost what one costs: a tenth more bytes on the wire at most, and work within a small factor', async () => {
  const least = new Map<number, number>()
  for (let round = 0; round < 4; round++) {
    for (const lanes of [1, 8, 32]) {
      const { wire } = await stream(lanes)
      expect(wire, `bytes for each, over ${lanes}`).toBeLessThan(1.1)
      // Small parcels, so that what is done for each of them is what counts.
      const { cpu } = await stream(lanes, { maxParcelBytes: 1024 })
      least.set(lanes, Math.min(least.get(lanes) ?? Infinity, cpu))
    }
  }
  for (const lanes of [8, 32]) {
    expect(least.get(lanes)! / least.get(1)!, `${lanes} lanes beside one`).toBeLessThan(3)
  }
}, 60_000)
