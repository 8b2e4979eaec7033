// The stack that a striping proxy carries its bytes over, under the suite: in good weather and in
// bad.

import { stack, type BytePipe } from '@striper/core'
import { reassemble } from '@striper/reassemble'
import { conformance, latency, rate, slices, stall } from '@striper/testkit'
import { describe } from 'vitest'
import { type Fault, openStripes, tcpLanes } from './scene.ts'

const window = { windowBytes: 512 * 1024 }
const overStripe = { outlivesBelow: true }

const MB = 1e6
const weathers: Record<string, Fault> = {
  'slow and far': lane => bytes =>
    stack(
      bytes,
      rate({ bytesPerSecond: [40, 60, 80, 100][lane]! * MB }),
      latency({ ms: 1 + lane, jitterMs: lane, seed: lane }),
    ),
  sliced: lane => slices({ seed: lane, maxBytes: 10_000 }),
  stalling: lane => stall({ afterBytes: 20_000 + 50_000 * lane, ms: 20 + 10 * lane }),
}

describe('reassemble over', () => {
  conformance('a stripe of 1 lane', () => reassembled(1), overStripe)
  conformance('a stripe of 4 lanes', () => reassembled(4), overStripe)
  for (const [weather, fault] of Object.entries(weathers)) {
    conformance(`a stripe of 4 ${weather} lanes`, () => reassembled(4, fault), overStripe)
  }
})

async function reassembled(lanes: number, fault?: Fault): Promise<[BytePipe, BytePipe]> {
  const [left, right] = await openStripes(await tcpLanes(lanes, fault))
  return [reassemble(window)(left), reassemble(window)(right)]
}
